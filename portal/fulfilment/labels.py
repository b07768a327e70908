"""Paper: the packing slip that goes into the parcel, and the label of our own courier that goes onto it."""

import io
from collections.abc import Iterator
from typing import Any

from babel import Locale
from flask_babel import force_locale
from flask_babel import gettext as _
from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.code128 import Code128
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from portal.config import Settings
from portal.fulfilment import sscc, typeset
from portal.fulfilment.models import Parcel, ParcelLine

LABEL = (100 * mm, 150 * mm)
GS1_THINNEST = 0.5
"""Millimetres; GS1's General Specifications ask for 0.495 at the least (section 5.12.3.5)."""
THINNEST = 0.25 * mm
"""The thinnest bar that an office printer prints and a hand scanner reads."""


def shipping_label(parcel: Parcel, settings: Settings) -> bytes:
    """The label of our own courier, 100 × 150 mm: from, to, and its number as bars and as a QR code."""
    paper = io.BytesIO()
    canvas = open_canvas(paper, LABEL, f"Label {parcel.tracking_number}")
    with force_locale(settings.shop_language):
        _sender(canvas, settings)
        _receiver(canvas, parcel.to, settings)
        _facts(canvas, parcel)
    _number(canvas, parcel)
    canvas.save()
    return paper.getvalue()


def open_canvas(paper: io.BytesIO, size: tuple[float, float], title: str) -> Canvas:
    """A first page of this size."""
    canvas = Canvas(paper, pagesize=size, pageCompression=1, invariant=1)
    canvas.setTitle(title)
    canvas.setAuthor("Aftersale")
    return canvas


def _sender(canvas: Canvas, settings: Settings) -> None:
    typeset.draw(canvas, 6 * mm, 142 * mm, _("From"), 7)
    typeset.draw_fitted(canvas, 20 * mm, 141.6 * mm, settings.shop_name, 74 * mm, (11, 6), bold=True)
    address = " · ".join(settings.shop_address.splitlines()) or settings.shop_email
    for place, line in enumerate(typeset.wrap(address, 8, 74 * mm)[:2]):
        typeset.draw(canvas, 20 * mm, (137.2 - 3.6 * place) * mm, line, 8)
    _rule(canvas, 131)


def _rule(canvas: Canvas, height: float) -> None:
    canvas.setLineWidth(0.8)
    canvas.line(6 * mm, height * mm, 94 * mm, height * mm)


def _receiver(canvas: Canvas, to: dict[str, Any], settings: Settings) -> None:
    """Name and town large; each line as large as it fits, on two rows when it is long."""
    typeset.draw(canvas, 6 * mm, 125.5 * mm, _("To"), 7)
    baseline = 129.5 * mm
    for text, largest, bold in address_lines(to, settings):
        size, lines = typeset.fit(text, 74 * mm, (largest, 6), bold, rows=2)
        for line in lines:
            baseline -= size * 1.22
            typeset.draw(canvas, 20 * mm, baseline, line, size, bold)


def address_lines(to: dict[str, Any], settings: Settings) -> list[tuple[str, float, bool]]:
    """The lines of an address, each with its largest size and whether it is bold."""
    town = f"{to.get('postcode') or ''} {to.get('city') or ''}"
    return [
        (to.get("name") or "", 15, True),
        (to.get("company") or "", 12, False),
        (to.get("street") or "", 13, False),
        (to.get("street2") or "", 12, False),
        (town, 16, True),
        (to.get("region") or "", 11, False),
        (country_name(to.get("country"), settings).upper(), 14, True),
    ]


def country_name(code: str | None, settings: Settings) -> str:
    """The country in the shop's language, as its carriers read it; nothing for parcels that stay in the country."""
    if not code or code == settings.shop_country:
        return ""
    return str(Locale.parse(settings.shop_language).territories.get(code, code))


def _facts(canvas: Canvas, parcel: Parcel) -> None:
    _rule(canvas, 70)
    for place, (name, value) in enumerate(facts(parcel)):
        top = (fact_height(parcel, place)) * mm
        typeset.draw(canvas, 6 * mm, top, name, 7)
        typeset.draw_fitted(canvas, 20 * mm, top, value, 48 * mm, (12, 6), bold=True)
    _rule(canvas, 42)


def fact_height(parcel: Parcel, place: int) -> float:
    """Millimetres above the label's foot at which a fact is written; with one more they move together."""
    return 64.5 - 6.6 * place if parcel.sscc else 63 - 8 * place


def facts(parcel: Parcel) -> list[tuple[str, str]]:
    """What else a label says: name and value, in the language of the moment."""
    weight = f"{parcel.weight_grams / 1000:.2f} kg" if parcel.weight_grams else "–"
    found = [(_("Order"), parcel.order.number), (_("Parcel"), parcel.ref), (_("Weight"), weight)]
    return [*found, (_("Number"), parcel.tracking_number or "–")] if parcel.sscc else found


def _number(canvas: Canvas, parcel: Parcel) -> None:
    """The number three times: as a QR code, as bars, and to be read aloud. With an SSCC the bars are that."""
    number = parcel.tracking_number or parcel.ref
    draw_qr(canvas, number, 71 * mm, 45 * mm, 22 * mm)
    if parcel.sscc:
        _gs1_128(canvas, parcel.sscc)
        return
    bars = code128(number, height=25 * mm, limit=84 * mm, thickest=0.6 * mm)
    if bars is not None:
        bars.drawOn(canvas, (100 * mm - bars.width) / 2, 13 * mm)
    typeset.draw_fitted(canvas, 50 * mm, 6 * mm, " ".join(in_groups(number)), 88 * mm, (14, 6), bold=True, at=0.5)


def _gs1_128(canvas: Canvas, code: str) -> None:
    """As GS1 wants it on parcels: thinnest bar at least 0.495 mm, 32 mm tall, digits in pairs, the number beneath."""
    bars = Code128(f"\xf1{sscc.APPLICATION}{code}", barWidth=GS1_THINNEST * mm, barHeight=32 * mm, quiet=0)
    bars.drawOn(canvas, (100 * mm - bars.width) / 2, 8.5 * mm)
    typeset.draw_fitted(canvas, 50 * mm, 3 * mm, sscc.spelled(code), 88 * mm, (14, 6), bold=True, at=0.5)


def in_groups(number: str) -> Iterator[str]:
    """Groups of four from the end, so that people can read it to each other."""
    first = len(number) % 4
    yield from filter(None, (number[:first], *(number[n : n + 4] for n in range(first, len(number), 4))))


def draw_qr(canvas: Canvas, text: str, x: float, y: float, side: float) -> None:
    """Print a QR code with its lower left corner at (x, y)."""
    drawing = Drawing(side, side)
    drawing.add(QrCodeWidget(text, barWidth=side, barHeight=side, barLevel="M", barBorder=0))
    renderPDF.draw(drawing, canvas, x, y)


def code128(text: str, height: float, limit: float, thickest: float) -> Code128 | None:
    """A Code 128 no wider than `limit`; None for texts it cannot hold or that would be too fine to scan."""
    if not text.isascii() or not text.isprintable():
        return None
    modules = Code128(text, barWidth=1, quiet=0).width
    thickness = min(thickest, limit / modules)
    return Code128(text, barWidth=thickness, barHeight=height, quiet=0) if thickness >= THINNEST else None


def packing_slip(parcel: Parcel, settings: Settings) -> bytes:
    """What is in the parcel, in the customer's language, without prices, and where to turn with questions."""
    paper = io.BytesIO()
    canvas = open_canvas(paper, A4, f"Packing slip {parcel.order.number}")
    with force_locale(parcel.order.locale):
        pages = list(_pages(parcel.lines))
        for number, lines in enumerate(pages, 1):
            _slip_head(canvas, parcel, settings, number, len(pages))
            _slip_lines(canvas, lines)
            _slip_foot(canvas, settings)
            canvas.showPage()
    canvas.save()
    return paper.getvalue()


ROW, FIRST_ROW, LAST_ROW = 19 * mm, 205 * mm, 52 * mm


def _pages(lines: list[ParcelLine]) -> Iterator[list[ParcelLine]]:
    each = int((FIRST_ROW - LAST_ROW) // ROW) + 1
    for start in range(0, max(1, len(lines)), each):
        yield lines[start : start + each]


def _slip_head(canvas: Canvas, parcel: Parcel, settings: Settings, number: int, pages: int) -> None:
    order = parcel.order
    typeset.draw(canvas, 20 * mm, 272 * mm, settings.shop_name, 18, bold=True)
    typeset.draw(canvas, 20 * mm, 264 * mm, _("Packing slip"), 12)
    to = parcel.to
    lines = (
        to.get("name"),
        to.get("company"),
        to.get("street"),
        to.get("street2"),
        f"{to.get('postcode', '')} {to.get('city', '')}",
    )
    for place, line in enumerate(filter(None, (*lines, country_name(to.get("country"), settings)))):
        typeset.draw_fitted(canvas, 20 * mm, (252 - 5 * place) * mm, line, 95 * mm, (10.5, 5), bold=place == 0)
    facts = [(_("Order"), order.number), (_("Parcel"), parcel.ref)]
    facts += [(_("Page"), f"{number} / {pages}")] if pages > 1 else []
    for place, (name, value) in enumerate(facts):
        typeset.draw(canvas, 125 * mm, (252 - 5 * place) * mm, name, 10.5)
        typeset.draw_fitted(canvas, 150 * mm, (252 - 5 * place) * mm, value, 40 * mm, (10.5, 6), bold=True)
    canvas.setLineWidth(1)
    canvas.line(20 * mm, 218 * mm, 190 * mm, 218 * mm)


def _slip_lines(canvas: Canvas, lines: list[ParcelLine]) -> None:
    for place, packed in enumerate(lines):
        top = FIRST_ROW - ROW * place
        typeset.draw(canvas, 20 * mm, top + 2.6 * mm, f"{packed.quantity} ×", 15, bold=True)
        height, title = typeset.fit(packed.line.title, 88 * mm, (11, 7), bold=True, rows=2)
        for row, text in enumerate(title):
            typeset.draw(canvas, 36 * mm, top + (3 - 4.6 * row) * mm, text, height, bold=True)
        below = top + (3 - 4.8 * len(title)) * mm
        typeset.draw_fitted(canvas, 36 * mm, below, packed.line.variant, 88 * mm, (9.5, 7))
        _sku(canvas, packed.line.sku, top)
        canvas.setLineWidth(0.3)
        canvas.line(20 * mm, top - 9 * mm, 190 * mm, top - 9 * mm)


def _sku(canvas: Canvas, sku: str, top: float) -> None:
    bars = code128(sku, height=8 * mm, limit=58 * mm, thickest=0.38 * mm) if sku else None
    if bars is not None:
        bars.drawOn(canvas, 190 * mm - bars.width, top - 1 * mm)
    typeset.draw_fitted(canvas, 190 * mm, top - 5 * mm, sku, 58 * mm, (8.5, 6), at=1.0)


def _slip_foot(canvas: Canvas, settings: Settings) -> None:
    address = f"{settings.base_url}/find"
    draw_qr(canvas, address, 20 * mm, 15 * mm, 20 * mm)
    typeset.draw(canvas, 46 * mm, 31 * mm, _("Something missing, wrong or not to your liking?"), 11, bold=True)
    typeset.draw(canvas, 46 * mm, 25 * mm, _("Follow your parcel, ask us or send something back here:"), 9.5)
    typeset.draw_fitted(canvas, 46 * mm, 19 * mm, address, 140 * mm, (9.5, 6))
