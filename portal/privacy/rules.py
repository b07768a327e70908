"""How long what is kept is kept, and until when tax law wants the rest."""

from collections.abc import Iterable
from datetime import date

from flask_babel import lazy_gettext as _l

TAX_YEARS = {"DE": 8, "FR": 10, "GB": 6}
"""Full years after the one of the sale: BEG IV (2025), Code de commerce L.123-22, HMRC. Else the longest."""
LONGEST_TAX_YEARS = 10
BECAUSE = {
    "order": _l("an order on its way"),
    "return": _l("an unfinished return"),
    "refund": _l("money on its way back"),
    "case": _l("an open case"),
}
"""Why somebody cannot be forgotten yet."""


def locked_until(year: int, countries: Iterable[str | None]) -> date:
    """The last day on which what tax law protects is kept: the longest term of the countries it was sent to."""
    years = max((TAX_YEARS.get(country or "", LONGEST_TAX_YEARS) for country in countries), default=LONGEST_TAX_YEARS)
    return date(year + years, 12, 31)
