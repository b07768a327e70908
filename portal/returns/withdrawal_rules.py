"""Until when a contract can be withdrawn from, and for which goods. What the shop wants plays no part in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import current_app
from flask_babel import get_locale
from flask_babel import gettext as _

from portal.config import Settings
from portal.lib import days
from portal.lib.days import A_DAY, Calendar
from portal.lib.errors import Refused
from portal.orders.models import Order
from portal.returns.exemptions import ALWAYS, GROUNDS, grounds_of
from portal.returns.goods import Facts, Goods, read

PERIOD = 14
"""Days (Directive 2011/83/EU, Art. 9(1)); the shop's longer window counts when it has one."""


def withdraw_until(delivered_at: datetime | None, country: str | None, settings: Settings) -> date | None:
    """The last day to withdraw; None, that is open, while somebody does not know of some delivery.

    Counted from the day on which the last parcel was delivered (Art. 9(2)), moved to a day on which people work at the
    customer's and at ours (Regulation 1182/71, Art. 3(4)); a year more where the shop's notice is missing (Art. 10).
    """
    if delivered_at is None:
        return None
    there = delivered_at.astimezone(settings.zone).date()
    day = there + timedelta(days=max(PERIOD, settings.return_window_days))
    if not settings.withdrawal_notice:
        day = max(day, _a_year_after(there + timedelta(days=PERIOD)))
    calendars = [Calendar(settings.shop_country), Calendar(country or settings.shop_country)]
    while not all(calendar.is_working(day) for calendar in calendars):
        day += A_DAY
    return day


def _a_year_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return date(day.year + 1, 3, 1)


@dataclass(frozen=True, slots=True)
class Right:
    """What the law gives the customer of an order today."""

    facts: Facts
    until: date | None
    grounds: Mapping[str, str]

    @property
    def items(self) -> list[Goods]:
        return [goods for goods in self.facts.goods if goods.line.kind == "item"]

    def open_pieces(self, goods: Goods) -> int:
        """Pieces bought that are in no return and whose money was not given back; wherever they are."""
        exempt = self.grounds.get(goods.line.sku or "") in ALWAYS
        return 0 if exempt else max(0, goods.line.quantity - max(goods.claimed, goods.given_pieces))

    def about(self, goods: Goods) -> str:
        """The law's reason why this can't be withdrawn from, or only while its seal is unbroken."""
        ground = self.grounds.get(goods.line.sku or "")
        if ground:
            return str(GROUNDS[ground])
        return "" if self.open_pieces(goods) else _("It is in a return already, or its money was given back.")

    def everything(self) -> dict[int, int]:
        """All pieces that can be withdrawn from, by line."""
        return {goods.line.id: pieces for goods in self.items if (pieces := self.open_pieces(goods))}

    def over(self) -> str:
        """Why nothing can be withdrawn from any more; empty while something can."""
        if self.facts.order.state == "cancelled":
            return _("This order was cancelled. There is nothing to withdraw from.")
        if self.until is not None and self.facts.today > self.until:
            day = days.spelled(self.until, self.facts.today, str(get_locale() or "en"))
            return _("The time to withdraw ended on %(day)s.", day=day)
        return "" if self.everything() else _("Nothing is left to withdraw from.")

    def refusal(self, chosen: Mapping[int, int]) -> str:
        """Why this choice can't be; empty when it can."""
        if said := self.over():
            return said
        if not chosen:
            return _("Choose at least one thing.")
        most = self.everything()
        if any(pieces < 1 or pieces > most.get(line_id, 0) for line_id, pieces in chosen.items()):
            return _("That is more than you can withdraw from.")
        return ""

    def insist(self, chosen: Mapping[int, int]) -> None:
        """Raises Refused with the reason."""
        if said := self.refusal(chosen):
            raise Refused(said)

    def is_whole(self, chosen: Mapping[int, int]) -> bool:
        """Whether with this nothing of the order stays with the customer."""
        return all(chosen.get(one.line.id, 0) + one.claimed >= one.line.quantity for one in self.items)


def right_of(order: Order, *, now: datetime) -> Right:
    """Read in a few statements, whatever the order's size."""
    settings: Settings = current_app.config["SETTINGS"]
    facts = read(order, now=now)
    until = withdraw_until(facts.delivered_at, order.country, settings)
    return Right(facts, until, grounds_of([line.sku for line in order.lines if line.sku]))
