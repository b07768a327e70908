"""The four dates of an order, worked out here and nowhere else: customers and staff read the same days everywhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from flask_babel import gettext as _

from portal.config import Settings
from portal.lib import days
from portal.returns.claims_terms import LEGAL_MONTHS, guarantee_until
from portal.returns.withdrawal_rules import withdraw_until

PAY_WITHIN = timedelta(days=14)
"""From being informed of the withdrawal (Directive 2011/83/EU, Art. 13(1))."""
SEND_BACK_WITHIN = timedelta(days=14)
"""Art. 14(1)."""


class Dated(Protocol):
    """What the dates need to know of a return. `released_at` is when it was proven that the goods were sent."""

    @property
    def kind(self) -> str: ...
    @property
    def decision(self) -> str: ...
    @property
    def goods(self) -> str: ...
    @property
    def closed_as(self) -> str | None: ...
    @property
    def send_back_by(self) -> date | None: ...
    @property
    def requested_at(self) -> datetime: ...
    @property
    def released_at(self) -> datetime | None: ...
    @property
    def paid_back(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class FourDates:
    """Until when the customer may, and until when we must; None where there is no such day (yet)."""

    withdraw_until: date | None = None
    send_back_until: date | None = None
    money_back_by: date | None = None
    guarantee_until: date | None = None

    def told(self, locale: str) -> list[tuple[str, str]]:
        """Those that are known, with their names."""
        known = (
            (_("Withdraw until"), self.withdraw_until),
            (_("Send back until"), self.send_back_until),
            (_("Money back by"), self.money_back_by),
            (_("Guarantee until"), self.guarantee_until),
        )
        return [(label, days.with_year(day, locale)) for label, day in known if day]


def four_dates(
    delivered_at: datetime | None,
    country: str | None,
    returns: Iterable[Dated],
    settings: Settings,
    *,
    guarantee: int = LEGAL_MONTHS,
) -> FourDates:
    """The dates of an order of which the last parcel arrived then; of several returns the earliest day counts.

    `guarantee` are months, the law's or more.
    """
    open_still = [ret for ret in returns if ret.decision == "approved" and not ret.closed_as]
    awaited = [ret.send_back_by for ret in open_still if ret.goods == "awaited" and ret.send_back_by]
    owed = [ret for ret in open_still if ret.kind == "withdrawal" and not ret.paid_back]
    return FourDates(
        withdraw_until=withdraw_until(delivered_at, country, settings),
        send_back_until=min(awaited, default=None),
        money_back_by=min((money_back_by(ret.requested_at, ret.released_at, settings) for ret in owed), default=None),
        guarantee_until=guarantee_until(delivered_at, guarantee),
    )


def money_back_by(informed_at: datetime, released_at: datetime | None, settings: Settings) -> date:
    """The legal latest day: 14 days after we were informed, and never before the goods are proven to be on their way,
    for which the shop may wait (Art. 13(3)).
    """
    latest = _local(informed_at, settings) + PAY_WITHIN
    return max(latest, _local(released_at, settings)) if released_at else latest


def send_back_by(informed_at: datetime, settings: Settings) -> date:
    """The last day on which who withdrew sends the goods."""
    return _local(informed_at, settings) + SEND_BACK_WITHIN


def _local(moment: datetime, settings: Settings) -> date:
    return moment.astimezone(settings.zone).date()
