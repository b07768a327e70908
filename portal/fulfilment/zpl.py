"""Labels for printers that speak ZPL II: the same label as the PDF, as commands instead of a page.

What customers typed reaches the printer through `escape` only, so that a name can never become a command.
"""

import unicodedata

from flask_babel import force_locale
from flask_babel import gettext as _
from reportlab.lib.units import mm

from portal.config import Settings
from portal.fulfilment import labels, sscc, typeset
from portal.fulfilment.models import Parcel

WIDTH, HEIGHT = 100, 150
"""Millimetres, as the label of the PDF."""

MM_PER_POINT = 25.4 / 72
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,-/:()")


def escape(text: str) -> str:
    """Text as field data behind `^FH`: every byte of its UTF-8 that is not plainly harmless as `_` and two hex digits.

    `^` and `~` begin commands, `_` begins an escape; characters that control rather than print are left out.
    """
    shown = (char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char)[0] != "C")
    return "".join(char if char in PLAIN else "".join(f"_{byte:02X}" for byte in char.encode()) for char in shown)


class Sheet:
    """One label being written; places are millimetres from its lower left corner, as in the PDF."""

    def __init__(self, dots: int, font: str) -> None:
        self.dots = dots
        self.font = font
        # ^CI28: field data is UTF-8. ^LH and ^PO undo what the label before may have left behind.
        self.commands = ["^XA", "^CI28", "^PON", "^LH0,0", f"^PW{self.at(WIDTH)}", f"^LL{self.at(HEIGHT)}"]

    def at(self, millimetres: float) -> int:
        """Millimetres in the printer's dots."""
        return round(millimetres * self.dots)

    def text(self, x: float, y: float, text: str, size: float) -> None:
        """One line of text; y is its baseline, `size` is in points."""
        tall = self.at(size * MM_PER_POINT)
        face = f"^A0N,{tall},{tall}" if self.font == "0" else f"^A@N,{tall},{tall},{self.font}"
        self._write(f"^FT{self.at(x)},{self.at(HEIGHT - y)}{face}", text)

    def _write(self, place: str, text: str, before: str = "") -> None:
        self.commands.append(f"{place}^FH_^FD{before}{escape(text)}^FS")

    def fitted(self, x: float, y: float, text: str, limit: float, sizes: tuple[float, float]) -> None:
        """One line at the largest size that fits into `limit` millimetres."""
        size, lines = typeset.fit(text, limit * mm, sizes, bold=True)
        for line in lines:
            self.text(x, y, line, size)

    def rule(self, y: float) -> None:
        """A line across the label."""
        self.commands.append(f"^FO{self.at(6)},{self.at(HEIGHT - y)}^GB{self.at(88)},{self.at(0.3)},{self.at(0.3)}^FS")

    def bars(self, x: float, y: float, number: str, limit: float, height: float) -> None:
        """A Code 128 whose upper left corner is at (x, y), no wider than `limit`."""
        # As wide as in the worst case, where the printer finds no pairs of digits to set in one.
        modules = 11 * (len(number) + 2) + 13
        thin = max(1, min(self.at(0.6), self.at(limit) // modules))
        place = f"^FO{self.at(x)},{self.at(HEIGHT - y)}^BY{thin}^BCN,{self.at(height)},N,N,N,A"
        self._write(place, number)

    def gs1_128(self, y: float, code: str, height: float) -> None:
        """An SSCC in the middle of the label, its upper edge at y."""
        # Start, FNC1, ten pairs of digits, check sign, stop. No printer draws bars thinner than 10 dots.
        thin = min(10, max(1, self.at(labels.GS1_THINNEST)))
        left = (self.at(WIDTH) - thin * (11 * 13 + 13)) // 2
        # `>;` begins code set C, which has pairs of digits; `>8` is FNC1. Neither is a customer's.
        place = f"^FO{left},{self.at(HEIGHT - y)}^BY{thin}^BCN,{self.at(height)},N,N,N,N"
        self.commands.append(f"{place}^FD>;>8{sscc.APPLICATION}{code}^FS")

    def qr(self, x: float, y: float, text: str, side: float) -> None:
        """A QR code of up to 25 modules whose upper left corner is at (x, y)."""
        # `M` is the error correction, `A` lets the printer choose how to write the data.
        # No printer draws modules larger than 10 dots.
        size = min(10, max(1, self.at(side) // 25))
        self._write(f"^FO{self.at(x)},{self.at(HEIGHT - y)}^BQN,2,{size}", text, before="MA,")

    def finished(self) -> bytes:
        """What is sent to the printer."""
        return "\n".join([*self.commands, "^XZ", ""]).encode()


def shipping_label(parcel: Parcel, settings: Settings) -> bytes:
    """The label of our own courier for a ZPL printer, 100 × 150 mm, with what the PDF says and the same two codes."""
    sheet = Sheet(settings.label_printer_dots, settings.label_printer_font)
    with force_locale(settings.shop_language):
        _sender(sheet, settings)
        _receiver(sheet, parcel, settings)
        _facts(sheet, parcel)
    _number(sheet, parcel)
    return sheet.finished()


def _sender(sheet: Sheet, settings: Settings) -> None:
    sheet.text(6, 142, _("From"), 7)
    sheet.fitted(20, 141.6, settings.shop_name, 74, (11, 6))
    address = " · ".join(settings.shop_address.splitlines()) or settings.shop_email
    for place, line in enumerate(typeset.wrap(address, 8, 74 * mm)[:2]):
        sheet.text(20, 137.2 - 3.6 * place, line, 8)
    sheet.rule(131)


def _receiver(sheet: Sheet, parcel: Parcel, settings: Settings) -> None:
    sheet.text(6, 125.5, _("To"), 7)
    baseline = 129.5
    for text, largest, bold in labels.address_lines(parcel.to, settings):
        size, lines = typeset.fit(text, 74 * mm, (largest, 6), bold, rows=2)
        for line in lines:
            baseline -= size * 1.22 * MM_PER_POINT
            sheet.text(20, baseline, line, size)
    sheet.rule(70)


def _facts(sheet: Sheet, parcel: Parcel) -> None:
    for place, (name, value) in enumerate(labels.facts(parcel)):
        height = labels.fact_height(parcel, place)
        sheet.text(6, height, name, 7)
        sheet.fitted(20, height, value, 48, (12, 6))
    sheet.rule(42)


def _number(sheet: Sheet, parcel: Parcel) -> None:
    number = parcel.tracking_number or parcel.ref
    sheet.qr(71, 67, number, 22)
    if parcel.sscc:
        sheet.gs1_128(40.5, parcel.sscc, height=32)
        sheet.fitted(22, 3, sscc.spelled(parcel.sscc), 70, (14, 6))
        return
    sheet.bars(8, 38, number, limit=84, height=25)
    sheet.fitted(8, 6, " ".join(labels.in_groups(number)), 84, (14, 6))
