"""Pictures of shares and scores with their intervals, as SVG in the page: classes for the stylesheet, no styles inside.

Across, everything is in per cent of the picture's width, so that letters stay as large on a phone as on a desk. The
library writes what it is given as it is: every word that comes from outside passes through `_words`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import svg
from markupsafe import Markup

ROW, HEAD, FOOT = 44, 6, 24
"""Pixels: a row with its name above its line, the room above the first and below the last."""
TALL = 200
LONGEST_NAME = 46
MOST_DAYS = 3
"""Names under a course, so that they don't touch on a phone."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was counted, and between which values the true one lies. `few` is drawn in grey, `tone` is bad or good."""

    name: str
    value: float
    low: float
    high: float
    few: bool = False
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """From where to where, and the values that are written under the picture."""

    low: float = 0
    high: float = 100
    ticks: tuple[int, ...] = (0, 25, 50, 75, 100)

    def at(self, value: float) -> float:
        """How far across, in per cent; what lies outside is at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return round(2 + 96 * min(1.0, max(0.0, share)), 2)


PER_CENT = Scale()
NET = Scale(-100, 100, (-100, -50, 0, 50, 100))
SMALL = (4, 10, 20, 30, 40, 50, 70, 100)


def up_to(high: float) -> Scale:
    """For shares that are small: from nothing to a round number of per cent that none of them passes."""
    top = next((tick for tick in SMALL if tick >= high), SMALL[-1])
    return Scale(0, top, (0, top // 2, top))


def intervals(
    points: Sequence[Point],
    *,
    id: str,
    title: str,
    told: str,
    scale: Scale = PER_CENT,
    among: tuple[float, float] | None = None,
) -> Markup:
    """One line per point from low to high with a dot at its value; `among` is the interval of all, a band behind."""
    height = HEAD + ROW * len(points) + FOOT
    parts: list[svg.Element] = [*_grid(scale, height)]
    if among:
        left, right = (scale.at(value) for value in among)
        parts.append(_box(left, right, HEAD, height - FOOT, "chart-among"))
    for number, point in enumerate(points):
        parts.extend(_across(point, HEAD + ROW * number, scale))
    return _picture(parts, height, id=id, title=title, told=told)


def course(points: Sequence[Point], *, id: str, title: str, told: str, scale: Scale = PER_CENT) -> Markup:
    """How a value went from time to time, each with its interval."""
    parts: list[svg.Element] = [*_levels(scale)]
    places = [(_along(number, len(points)), point) for number, point in enumerate(points)]
    for (x1, before), (x2, after) in pairwise(places):
        parts.append(_line(x1, x2, _height(before.value, scale), _height(after.value, scale), "chart-line"))
    for x, point in places:
        parts.extend(_upright(point, x, scale))
    parts.extend(_days(places))
    return _picture(parts, TALL + FOOT, id=id, title=title, told=told)


def _grid(scale: Scale, height: int) -> Iterator[svg.Element]:
    for tick in scale.ticks:
        x = scale.at(tick)
        yield _line(x, x, HEAD, height - FOOT, "chart-grid")
        yield _words(str(tick), x, height - 6, _anchor(tick, scale.ticks), "chart-small")


def _anchor(one: object, several: Sequence[object]) -> str:
    return "start" if one == several[0] else "end" if one == several[-1] else "middle"


def _across(point: Point, top: int, scale: Scale) -> Iterator[svg.Element]:
    name = point.name if len(point.name) <= LONGEST_NAME else f"{point.name[: LONGEST_NAME - 1].rstrip()}…"
    low, high, middle, marks = scale.at(point.low), scale.at(point.high), top + 31, _marks(point)
    yield _words(name, 2, top + 18, "start", "chart-name", *marks)
    yield _line(low, high, middle, middle, "chart-reach", *marks)
    for end in (low, high):
        yield _line(end, end, middle - 5, middle + 5, "chart-reach", *marks)
    yield _dot(scale.at(point.value), middle, *marks)


def _marks(point: Point) -> tuple[str, ...]:
    return ("few",) if point.few else (point.tone,) if point.tone else ()


def _levels(scale: Scale) -> Iterator[svg.Element]:
    for tick in scale.ticks:
        y = _height(tick, scale)
        yield _line(0, 100, y, y, "chart-grid")
        yield _words(str(tick), 0, y - 4, "start", "chart-small")


def _height(value: float, scale: Scale) -> float:
    share = (min(scale.high, max(scale.low, value)) - scale.low) / (scale.high - scale.low)
    return round(TALL - (TALL - 20) * share, 1)


def _along(number: int, many: int) -> float:
    """The place of one of many in time; the left is kept free for the values of the levels."""
    return round(10 + 86 * (number / (many - 1) if many > 1 else 0.5), 2)


def _upright(point: Point, x: float, scale: Scale) -> Iterator[svg.Element]:
    yield _line(x, x, _height(point.low, scale), _height(point.high, scale), "chart-reach", *_marks(point))
    yield _dot(x, _height(point.value, scale), *_marks(point))


def _days(places: Sequence[tuple[float, Point]]) -> Iterator[svg.Element]:
    """The first, the last, and as many between as there is room for."""
    step = max(1, -(-(len(places) - 1) // (MOST_DAYS - 1)))
    shown = [place for number, place in enumerate(places) if number % step == 0]
    for x, point in shown:
        anchor = "end" if x > 90 else "middle" if x > 15 or len(places) == 1 else "start"
        yield _words(point.name, x, TALL + FOOT - 6, anchor, "chart-small")


def _line(x1: float, x2: float, y1: float, y2: float, *classes: str) -> svg.Line:
    return svg.Line(x1=_share(x1), x2=_share(x2), y1=y1, y2=y2, class_=list(classes))


def _box(left: float, right: float, top: float, bottom: float, *classes: str) -> svg.Rect:
    return svg.Rect(x=_share(left), width=_share(right - left), y=top, height=bottom - top, class_=list(classes))


def _dot(x: float, y: float, *classes: str) -> svg.Circle:
    return svg.Circle(cx=_share(x), cy=y, r=4.5, class_=["chart-dot", *classes])


def _words(text: str, x: float, y: float, anchor: str, *classes: str) -> svg.Text:
    place = [*classes, f"chart-{anchor}"]
    return svg.Text(x=_share(x), y=y, class_=place, text=escape(text, quote=False))


def _share(across: float) -> svg.Length:
    return svg.Length(round(across, 2), "%")


def _picture(parts: list[svg.Element], height: int, *, id: str, title: str, told: str) -> Markup:
    named = svg.Title(id=f"{id}-title", text=escape(title)), svg.Desc(id=f"{id}-told", text=escape(told))
    whole = svg.SVG(
        width=_share(100), height=height, class_=["chart"], elements=[*named, *parts],
        extra={"role": "img", "aria-labelledby": f"{id}-title {id}-told"},
    )  # fmt: skip
    return Markup(whole.as_str())  # noqa: S704 - every word in it was escaped above
