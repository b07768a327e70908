"""The credit note as PDF, in the customer's language, from what was written down on its day."""

import io
from collections.abc import Iterator, Sequence
from datetime import date

from flask_babel import force_locale, format_date
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from portal.fulfilment import typeset
from portal.fulfilment.labels import open_canvas
from portal.lib.money import Money
from portal.refunds.credit_notes import CreditNote

LEFT, RIGHT = 20 * mm, 190 * mm
FIRST_ROW, ROW, LAST_ROW = 183 * mm, 8 * mm, 70 * mm
ROWS = int((FIRST_ROW - LAST_ROW) // ROW)
WAYS = {
    "card": _l("The money goes back the way it was paid."),
    "credit": _l("The money was given as store credit."),
    "channel": _l("The money was given back where the order was placed."),
    "hand": _l("The money was sent to you."),
}

Row = tuple[str, int]


def credit_note(note: CreditNote) -> bytes:
    """A4 pages, the same every time they are asked for."""
    paper = io.BytesIO()
    canvas = open_canvas(paper, A4, note.called)
    with force_locale(note.locale):
        pages = list(_pages(note.content["rows"]))
        for place, rows in enumerate(pages, start=1):
            _head(canvas, note)
            _rows(canvas, rows, note)
            if place == len(pages):
                _end(canvas, note, FIRST_ROW - ROW * len(rows))
            _foot(canvas, note, place, len(pages))
            canvas.showPage()
    canvas.save()
    return paper.getvalue()


def _pages(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """At least one, so that a note without lines has its total too."""
    for start in range(0, max(1, len(rows)), ROWS):
        yield rows[start : start + ROWS]


def _head(canvas: Canvas, note: CreditNote) -> None:
    shop, *address = note.content["shop"]
    typeset.draw_fitted(canvas, LEFT, 272 * mm, shop, 100 * mm, (18, 10), bold=True)
    for place, line in enumerate(address[:5]):
        typeset.draw_fitted(canvas, RIGHT, (274 - 5 * place) * mm, line, 60 * mm, (9, 6), at=1.0)
    title = _("Cancellation of a credit note") if note.cancels else _("Credit note")
    typeset.draw_fitted(canvas, LEFT, 240 * mm, title, 170 * mm, (22, 12), bold=True)
    for place, (label, value) in enumerate(_facts(note)):
        height = (228 - 6.5 * place) * mm
        typeset.draw_fitted(canvas, LEFT, height, label, 45 * mm, (10, 6))
        typeset.draw_fitted(canvas, 68 * mm, height, value, 122 * mm, (10, 6), bold=place == 0)


def _facts(note: CreditNote) -> list[tuple[str, str]]:
    about = note.content
    order = _("%(number)s of %(day)s", number=about["order"], day=_day(about["ordered_on"]))
    facts = [(_("Number"), note.called), (_("Date"), _day(about["issued_on"]))]
    if note.cancels:
        facts.append((_("Cancels"), _("%(number)s of %(day)s", **_quoted(note.cancels))))
    return [*facts, (_("Order"), order), (_("Customer"), about["to"])]


def _quoted(note: CreditNote) -> dict[str, str]:
    return {"number": note.called, "day": _day(note.content["issued_on"])}


def _day(iso: str) -> str:
    return str(format_date(date.fromisoformat(iso), "long"))


def _rows(canvas: Canvas, rows: Sequence[Row], note: CreditNote) -> None:
    _rule(canvas, FIRST_ROW + 7 * mm)
    for place, (title, amount) in enumerate(rows):
        height = FIRST_ROW - ROW * place
        typeset.draw_fitted(canvas, LEFT, height, title, 125 * mm, (10, 6))
        _amount(canvas, height, amount, note)


def _amount(canvas: Canvas, height: float, amount: int, note: CreditNote, bold: bool = False) -> None:
    """What is taken back counts the other way."""
    told = Money(-amount if note.cancels else amount, note.currency).format(note.locale)
    typeset.draw_fitted(canvas, RIGHT, height, told, 45 * mm, (10, 6), bold=bold, at=1.0)


def _rule(canvas: Canvas, height: float) -> None:
    canvas.setLineWidth(0.8)
    canvas.line(LEFT, height, RIGHT, height)


def _end(canvas: Canvas, note: CreditNote, height: float) -> None:
    _rule(canvas, height + 3 * mm)
    typeset.draw(canvas, LEFT, height - 3 * mm, _("Total"), 10, bold=True)
    _amount(canvas, height - 3 * mm, note.amount, note, bold=True)
    for place, line in enumerate(_wrapped(note)):
        typeset.draw(canvas, LEFT, height - (16 + 5.5 * place) * mm, line, 10)


def _wrapped(note: CreditNote) -> Iterator[str]:
    for sentence in _sentences(note):
        yield from typeset.wrap(sentence, 10, RIGHT - LEFT)


def _sentences(note: CreditNote) -> list[str]:
    if note.cancels:
        if note.content["way"] == "credit":
            return [_("The store credit was taken back, so %(number)s no longer counts.", number=note.cancels.called)]
        return [_("The money did not reach you, so %(number)s no longer counts.", number=note.cancels.called)]
    return [
        _("This corrects the invoice of order %(number)s.", number=note.content["order"]),
        _("The amounts contain the taxes that were paid with them."),
        str(WAYS[note.content["way"]]),
    ]


def _foot(canvas: Canvas, note: CreditNote, place: int, pages: int) -> None:
    typeset.draw(canvas, LEFT, 15 * mm, f"{note.called}", 8)
    if pages > 1:
        told = _("Page %(n)s of %(total)s", n=place, total=pages)
        typeset.draw_fitted(canvas, RIGHT, 15 * mm, told, 40 * mm, (8, 6), at=1.0)
