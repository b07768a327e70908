"""Text on paper, in any script, from fonts that come with the portal.

FiraGO is embedded and covers Latin, Greek, Cyrillic, Georgian, Thai and more. Chinese, Japanese and Korean name a
font of Adobe's character collections, which the viewer or printer brings along. What nobody can print is a middle dot,
never a box.
"""

import io
import unicodedata
from functools import cache
from itertools import groupby

import pymupdf_fonts
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

PLAIN, BOLD = "FiraGO", "FiraGO-Bold"
JAPANESE, KOREAN, CHINESE = "HeiseiKakuGo-W5", "HYGothic-Medium", "STSong-Light"
UNKNOWN = "·"

Run = tuple[str, str]
"""A font and the text it prints."""


@cache
def letters() -> frozenset[int]:
    """The characters FiraGO has; all fonts are registered with reportlab on the first call."""
    for name, key in ((PLAIN, "figo"), (BOLD, "figbo")):
        pdfmetrics.registerFont(TTFont(name, io.BytesIO(pymupdf_fonts.fontbuffers[key]())))
    for name in (JAPANESE, KOREAN, CHINESE):
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    return frozenset(pdfmetrics.getFont(PLAIN).face.charToGlyph)


def runs(text: str, bold: bool = False) -> list[Run]:
    """The text cut where the font changes."""
    latin, han = BOLD if bold else PLAIN, JAPANESE if any(map(_is_kana, text)) else CHINESE
    chosen = [_choose(char, latin, han) for char in unicodedata.normalize("NFC", text)]
    return [
        (font, "".join(char for _, char in pairs))
        for font, pairs in groupby(filter(None, chosen), lambda pair: pair[0])
    ]


def _choose(char: str, latin: str, han: str) -> Run | None:
    if ord(char) in letters():
        return latin, char
    if unicodedata.category(char)[0] in "MCS":
        return None
    name = unicodedata.name(char, "")
    if name.startswith(("HANGUL", "HALFWIDTH HANGUL")):
        return KOREAN, char
    if name.startswith(("CJK UNIFIED", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "FULLWIDTH")) or _is_kana(char):
        return (han, char) if ord(char) <= 0xFFFF else (latin, UNKNOWN)
    return latin, " " if char.isspace() else UNKNOWN


def _is_kana(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\uff66" <= char <= "\uff9d"


def width(text: str, size: float, bold: bool = False) -> float:
    """How wide the text prints, in points."""
    return float(sum(pdfmetrics.stringWidth(part, font, size) for font, part in runs(text, bold)))


def draw(canvas: Canvas, x: float, y: float, text: str, size: float, bold: bool = False) -> None:
    """Print one line from (x, y) on."""
    line = canvas.beginText(x, y)
    for font, part in runs(text, bold):
        line.setFont(font, size)
        line.textOut(part)
    canvas.drawText(line)


def draw_fitted(
    canvas: Canvas,
    x: float,
    y: float,
    text: str,
    limit: float,
    sizes: tuple[float, float],
    bold: bool = False,
    at: float = 0.0,
) -> None:
    """Print one line at the largest size that fits; x is where it starts, or with `at=1` where it ends."""
    size, lines = fit(text, limit, sizes, bold)
    for line in lines:
        draw(canvas, x - at * width(line, size, bold), y, line, size, bold)


def wrap(text: str, size: float, limit: float, bold: bool = False) -> list[str]:
    """The text in lines no wider than `limit`, broken between words where that is possible."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width(joined, size, bold) <= limit:
            lines[-1] = joined
        else:
            lines += _pieces(word, size, limit, bold)
    return lines


def _pieces(word: str, size: float, limit: float, bold: bool) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and width(pieces[-1] + char, size, bold) > limit:
            pieces.append("")
        pieces[-1] += char
    return pieces


def fit(
    text: str, limit: float, sizes: tuple[float, float], bold: bool = False, rows: int = 1
) -> tuple[float, list[str]]:
    """The largest size between `sizes` at which the text needs no more than `rows` lines, and those lines."""
    size, smallest = sizes
    lines = wrap(text, size, limit, bold)
    while len(lines) > rows and size > smallest:
        size = max(smallest, size - 0.5)
        lines = wrap(text, size, limit, bold)
    return size, lines if len(lines) <= rows else [*lines[: rows - 1], f"{lines[rows - 1][:-1]}…"]
