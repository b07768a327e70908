"""The return slip: a page that goes into the parcel, with an address to stick onto it."""

import io

from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from portal.config import Settings
from portal.fulfilment import typeset
from portal.fulfilment.labels import code128, draw_qr, in_groups, open_canvas
from portal.lib import days
from portal.returns.models import Return, ReturnLine
from portal.returns.words import reason

LEFT, RIGHT = 20 * mm, 190 * mm
FIRST_ROW, ROW, LAST_ROW = 196 * mm, 12 * mm, 118 * mm
MOST_ROWS = int((FIRST_ROW - LAST_ROW) // ROW)


def return_slip(ret: Return, settings: Settings) -> bytes:
    """An A4 page in the customer's language: the number as bars and QR code, what comes back, where it goes."""
    paper = io.BytesIO()
    canvas = open_canvas(paper, A4, f"Return {ret.rma}")
    with force_locale(ret.order.locale):
        _head(canvas, ret, settings)
        _what_to_do(canvas, ret)
        _lines(canvas, ret.lines)
        _address(canvas, ret, settings)
    canvas.save()
    return paper.getvalue()


def _head(canvas: Canvas, ret: Return, settings: Settings) -> None:
    typeset.draw_fitted(canvas, LEFT, 272 * mm, settings.shop_name, 100 * mm, (18, 10), bold=True)
    typeset.draw(canvas, LEFT, 263 * mm, _("Return slip"), 13)
    typeset.draw(canvas, LEFT, 256 * mm, _("Order %(number)s", number=ret.order.number), 10)
    bars = code128(ret.rma, height=16 * mm, limit=60 * mm, thickest=0.6 * mm)
    if bars is not None:
        bars.drawOn(canvas, RIGHT - bars.width, 262 * mm)
    typeset.draw_fitted(canvas, RIGHT, 255 * mm, _in_groups(ret.rma), 70 * mm, (15, 10), bold=True, at=1.0)


def _in_groups(rma: str) -> str:
    return " ".join(in_groups(rma))


def _what_to_do(canvas: Canvas, ret: Return) -> None:
    _rule(canvas, 248 * mm)
    until = ret.send_back_by
    day = days.spelled(until, until, str(get_locale())) if until else ""
    steps = (
        _("Put this half of the page into the parcel, with the goods."),
        _("Cut off the address below and stick it onto the parcel. Cover old labels."),
        _("Send it by %(day)s and keep the receipt.", day=day) if day else _("Send it and keep the receipt."),
    )
    for place, step in enumerate(steps):
        below = (238 - 8 * place) * mm
        typeset.draw(canvas, LEFT, below, str(place + 1), 11, bold=True)
        typeset.draw_fitted(canvas, 27 * mm, below, step, 163 * mm, (11, 7))


def _rule(canvas: Canvas, height: float) -> None:
    canvas.setLineWidth(0.8)
    canvas.line(LEFT, height, RIGHT, height)


def _lines(canvas: Canvas, lines: list[ReturnLine]) -> None:
    _rule(canvas, 213 * mm)
    typeset.draw(canvas, LEFT, 206 * mm, _("What comes back"), 10, bold=True)
    for place, row in enumerate(lines[:MOST_ROWS]):
        top = FIRST_ROW - ROW * place
        typeset.draw(canvas, LEFT, top, f"{row.quantity} ×", 12, bold=True)
        typeset.draw_fitted(canvas, 33 * mm, top, row.told, 157 * mm, (11, 6), bold=True)
        typeset.draw_fitted(canvas, 33 * mm, top - 4.6 * mm, reason(row.reason), 157 * mm, (9, 6))
    if more := len(lines) - MOST_ROWS:
        _and_more(canvas, more)


def _and_more(canvas: Canvas, more: int) -> None:
    if more > 0:
        typeset.draw(canvas, 33 * mm, LAST_ROW - 1 * mm, _("and %(n)s more lines", n=more), 9)


def _address(canvas: Canvas, ret: Return, settings: Settings) -> None:
    canvas.setDash(3, 3)
    canvas.line(0, 108 * mm, A4[0], 108 * mm)
    canvas.setDash()
    typeset.draw(canvas, LEFT, 94 * mm, _("To"), 9)
    lines = [settings.shop_name, *settings.send_back_to]
    for place, line in enumerate(lines):
        size = (20.0, 9.0) if place == 0 else (17.0, 8.0)
        typeset.draw_fitted(canvas, LEFT, (84 - 10 * place) * mm, line, 122 * mm, size, bold=place == 0)
    draw_qr(canvas, ret.rma, 152 * mm, 52 * mm, 38 * mm)
    typeset.draw_fitted(canvas, RIGHT, 42 * mm, _in_groups(ret.rma), 60 * mm, (18, 10), bold=True, at=1.0)
    _sender(canvas)


def _sender(canvas: Canvas) -> None:
    """To be filled in by hand: whoever has the link to the slip must not learn where the customer lives."""
    typeset.draw(canvas, LEFT, 28 * mm, _("From"), 9)
    canvas.setLineWidth(0.4)
    for height in (27, 18):
        canvas.line(40 * mm, height * mm, 140 * mm, height * mm)
