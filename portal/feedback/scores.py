"""A score that was counted, and between which values the true one lies; when two of them are apart."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.lib.charts import NET, PER_CENT, Point, Scale
from portal.lib.intervals import ENOUGH, adjusted_wald, adjusted_wald_net
from portal.lib.sheets import one_decimal

NET_KINDS = ("nps",)
TONES = {"worse": "bad", "better": "good", "": ""}
KIND_NAMES: dict[str, Any] = {
    "csat": _l("Satisfaction (CSAT)"),
    "nps": _l("Recommendation (NPS)"),
    "ces": _l("Effort"),
    "stars": _l("Stars"),
    "form": _l("Your own form"),
}
MEANING: dict[str, Any] = {
    "csat": _l("The share of the answers with four or five of five, in per cent."),
    "nps": _l("The share of nine and ten less the share of zero to six: from −100 to 100."),
    "ces": _l("The share of those who found it easy, in per cent."),
    "stars": _l("The share of the articles with four or five stars, in per cent."),
    "form": _l("The share of the good answers, in per cent."),
}


@dataclass(frozen=True, slots=True)
class Score:
    """How many answers of a kind, how many of them good and bad, and the sum of what was given."""

    kind: str
    n: int = 0
    good: int = 0
    bad: int = 0
    total: int = 0

    @property
    def value(self) -> float:
        """Per cent, or the net score from -100 to 100."""
        if not self.n:
            return 0.0
        return 100 * (self.good - (self.bad if self.is_net else 0)) / self.n

    @property
    def is_net(self) -> bool:
        return self.kind in NET_KINDS

    @property
    def interval(self) -> tuple[float, float]:
        """Of 100 such intervals 95 hold the true value."""
        low, high = adjusted_wald_net(self.good, self.bad, self.n) if self.is_net else adjusted_wald(self.good, self.n)
        return 100 * low, 100 * high

    @property
    def mean(self) -> float:
        return self.total / self.n if self.n else 0.0

    @property
    def few(self) -> bool:
        """Too few to say much."""
        return self.n < ENOUGH

    @property
    def plain(self) -> tuple[Decimal, ...]:
        """The value and its interval, for a file."""
        return tuple(one_decimal(number) for number in (self.value, *self.interval))

    def point(self, name: str, stands_out: str = "") -> Point:
        """Drawn with its interval: grey where few were counted, red or green when it stands out."""
        return Point(name, self.value, *self.interval, self.few, TONES[stands_out])

    @property
    def scale(self) -> Scale:
        return NET if self.is_net else PER_CENT

    def __add__(self, more: "Score") -> "Score":
        return Score(self.kind, self.n + more.n, self.good + more.good, self.bad + more.bad, self.total + more.total)

    def __sub__(self, less: "Score") -> "Score":
        return Score(self.kind, self.n - less.n, self.good - less.good, self.bad - less.bad, self.total - less.total)


def apart(these: Score, others: Score) -> str:
    """`worse` or `better` when the intervals do not meet and neither was counted on few; else nothing."""
    if these.few or others.few:
        return ""
    (low, high), (others_low, others_high) = these.interval, others.interval
    return "worse" if high < others_low else "better" if low > others_high else ""
