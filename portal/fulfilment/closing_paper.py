"""The list a courier signs: every parcel it took, on A4."""

import io
from collections.abc import Sequence

from flask_babel import force_locale
from flask_babel import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from portal.config import Settings
from portal.fulfilment import typeset
from portal.fulfilment.closing import Closing
from portal.fulfilment.labels import code128, open_canvas
from portal.fulfilment.models import Parcel
from portal.fulfilment.rules import courier_name

ROWS = 36
LEFT, RIGHT, TOP, STEP = 18 * mm, 192 * mm, 240 * mm, 5.6 * mm
NUMBER, ORDER, TO, WEIGHT = LEFT + 10 * mm, LEFT + 82 * mm, LEFT + 116 * mm, RIGHT


def hand_over_list(closing: Closing, parcels: Sequence[Parcel], settings: Settings) -> bytes:
    """Numbers, destinations and weights, and where to sign; the bars say which list it is."""
    paper = io.BytesIO()
    canvas = open_canvas(paper, A4, closing.ref)
    pages = [parcels[start : start + ROWS] for start in range(0, len(parcels), ROWS)] or [parcels]
    with force_locale(settings.shop_language):
        for number, page in enumerate(pages):
            _head(canvas, closing, len(parcels), settings, f"{number + 1} / {len(pages)}")
            _rows(canvas, page, number * ROWS)
            if number + 1 == len(pages):
                _signature(canvas, parcels)
            canvas.showPage()
    canvas.save()
    return paper.getvalue()


def _head(canvas: Canvas, closing: Closing, count: int, settings: Settings, page: str) -> None:
    title = _("Hand-over list, %(courier)s", courier=courier_name(closing.courier))
    typeset.draw_fitted(canvas, LEFT, 276 * mm, title, 110 * mm, (18, 10), bold=True)
    typeset.draw_fitted(canvas, LEFT, 268 * mm, settings.shop_name, 110 * mm, (11, 7))
    at = closing.closed_at.astimezone(settings.zone)
    typeset.draw(canvas, LEFT, 261 * mm, f"{at:%Y-%m-%d %H:%M} · {closing.ref} · {page}", 9)
    typeset.draw(canvas, LEFT, 254 * mm, _("Parcels: %(count)s", count=count), 11, bold=True)
    bars = code128(closing.ref, height=16 * mm, limit=64 * mm, thickest=0.5 * mm)
    if bars is not None:
        bars.drawOn(canvas, RIGHT - bars.width, 262 * mm)
    for x, name, at_end in ((NUMBER, _("Tracking number"), 0), (ORDER, _("Order"), 0), (TO, _("To"), 0)):
        typeset.draw_fitted(canvas, x, TOP + 3 * mm, name, 60 * mm, (8, 6), at=at_end)
    typeset.draw_fitted(canvas, WEIGHT, TOP + 3 * mm, _("Weight"), 30 * mm, (8, 6), at=1)
    canvas.setLineWidth(0.6)
    canvas.line(LEFT, TOP + 1 * mm, RIGHT, TOP + 1 * mm)


def _rows(canvas: Canvas, parcels: Sequence[Parcel], before: int) -> None:
    for place, parcel in enumerate(parcels):
        y = TOP - (place + 1) * STEP + 1.6 * mm
        to = " ".join(filter(None, (parcel.to.get("country"), parcel.to.get("postcode"), parcel.to.get("city"))))
        typeset.draw(canvas, LEFT, y, f"{before + place + 1}", 8)
        typeset.draw_fitted(canvas, NUMBER, y, parcel.tracking_number or "", 70 * mm, (10, 6), bold=True)
        typeset.draw_fitted(canvas, ORDER, y, parcel.order.number, 32 * mm, (9, 5))
        typeset.draw_fitted(canvas, TO, y, to, 42 * mm, (9, 5))
        typeset.draw_fitted(canvas, WEIGHT, y, _kilograms(parcel.weight_grams or 0), 14 * mm, (9, 6), at=1)


def _kilograms(grams: int) -> str:
    return f"{grams / 1000:.2f} kg"


def _signature(canvas: Canvas, parcels: Sequence[Parcel]) -> None:
    total = _kilograms(sum(parcel.weight_grams or 0 for parcel in parcels))
    typeset.draw_fitted(canvas, WEIGHT, 33 * mm, total, 40 * mm, (10, 6), bold=True, at=1)
    for x, name in ((LEFT, _("Taken over on, at")), (LEFT + 60 * mm, _("Name")), (LEFT + 120 * mm, _("Signature"))):
        canvas.line(x, 18 * mm, x + 52 * mm, 18 * mm)
        typeset.draw(canvas, x, 14 * mm, name, 8)
