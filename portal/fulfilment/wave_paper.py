"""The walk on paper, for whoever picks without a scanner: place, article, pieces, baskets, and a box to tick."""

import io
from collections.abc import Sequence

from flask_babel import force_locale
from flask_babel import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from portal.config import Settings
from portal.fulfilment import typeset
from portal.fulfilment.labels import code128, open_canvas
from portal.fulfilment.walk import Stop
from portal.fulfilment.wave_words import KIND
from portal.fulfilment.waves import Wave

ROWS = 15
LEFT, RIGHT, TOP, STEP = 18 * mm, 192 * mm, 238 * mm, 14 * mm
PIECES, WHAT, TICK = LEFT + 42 * mm, LEFT + 58 * mm, RIGHT - 7 * mm


def pick_list(wave: Wave, way: Sequence[Stop], settings: Settings) -> bytes:
    """Every stop of the walk, on as many pages as it needs, in the shop's language."""
    paper = io.BytesIO()
    canvas = open_canvas(paper, A4, f"Wave {wave.id}")
    pages = [way[start : start + ROWS] for start in range(0, len(way), ROWS)] or [way]
    with force_locale(settings.shop_language):
        for number, page in enumerate(pages, 1):
            _head(canvas, wave, way, settings, f"{number} / {len(pages)}")
            _rows(canvas, page)
            canvas.showPage()
    canvas.save()
    return paper.getvalue()


def _head(canvas: Canvas, wave: Wave, way: Sequence[Stop], settings: Settings, page: str) -> None:
    title = _("Pick list, wave %(number)s", number=wave.id)
    typeset.draw_fitted(canvas, LEFT, 276 * mm, title, 120 * mm, (18, 10), bold=True)
    typeset.draw_fitted(canvas, LEFT, 268 * mm, settings.shop_name, 120 * mm, (11, 7))
    parcels = {packed.parcel_id for stop in way for packed in stop.lines}
    told = _("Parcels: %(parcels)s, pieces: %(pieces)s", parcels=len(parcels), pieces=sum(stop.left for stop in way))
    at = wave.made_at.astimezone(settings.zone)
    typeset.draw_fitted(canvas, LEFT, 261 * mm, f"{KIND[wave.kind]} · {told}", 120 * mm, (10, 7))
    typeset.draw_fitted(canvas, LEFT, 254 * mm, f"{wave.owner.name} · {at:%Y-%m-%d %H:%M} · {page}", 120 * mm, (9, 6))
    bars = code128(f"WAVE-{wave.id}", height=14 * mm, limit=50 * mm, thickest=0.5 * mm)
    if bars is not None:
        bars.drawOn(canvas, RIGHT - bars.width, 264 * mm)
    for x, name, at_end in ((LEFT, _("Place"), 0), (PIECES + 10 * mm, _("Pieces"), 1), (WHAT, _("Article"), 0)):
        typeset.draw_fitted(canvas, x, TOP + 3 * mm, name, 40 * mm, (8, 6), at=at_end)
    canvas.setLineWidth(0.6)
    canvas.line(LEFT, TOP + 1 * mm, RIGHT, TOP + 1 * mm)


def _rows(canvas: Canvas, page: Sequence[Stop]) -> None:
    canvas.setLineWidth(0.3)
    for place, stop in enumerate(page):
        y = TOP - (place + 1) * STEP + 7 * mm
        _row(canvas, stop, y)
        canvas.rect(TICK, y - 2 * mm, 7 * mm, 7 * mm)
        canvas.line(LEFT, y - 5.5 * mm, RIGHT, y - 5.5 * mm)


def _row(canvas: Canvas, stop: Stop, y: float) -> None:
    line = stop.first.line
    typeset.draw_fitted(canvas, LEFT, y, stop.places or "–", 38 * mm, (11, 6))
    typeset.draw_fitted(canvas, PIECES + 10 * mm, y - 1 * mm, str(stop.left), 16 * mm, (18, 10), bold=True, at=1)
    title = ", ".join(filter(None, (line.title, line.variant)))
    typeset.draw_fitted(canvas, WHAT, y + 1.4 * mm, title, 64 * mm, (10, 6), bold=True)
    baskets = ", ".join(f"{number}: {pieces}" for number, pieces in stop.baskets)
    below = " · ".join(filter(None, (line.sku, _("Baskets: %(baskets)s", baskets=baskets) if baskets else "")))
    typeset.draw_fitted(canvas, WHAT, y - 3 * mm, below, 64 * mm, (8, 5))
    bars = code128(line.sku, height=8 * mm, limit=40 * mm, thickest=0.33 * mm) if line.sku else None
    if bars is not None:
        bars.drawOn(canvas, TICK - 3 * mm - bars.width, y - 2.5 * mm)
