"""When we ask: days after the reason to, in the customer's morning. Set at the desk; the environment until then."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.core import get_global
from flask import current_app
from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.orders.promise import on_or_after

LONGEST_WAIT, LONGEST_QUIET = 60, 365
A_DAY = timedelta(days=1)


class SurveyTerms(Base):
    """The one row of what the shop set. `remind_days` counts from the question; 0 sends no reminder."""

    __tablename__ = "survey_terms"
    __table_args__ = (
        CheckConstraint("id = 1", name="one"),
        CheckConstraint("after_days BETWEEN 1 AND 60 AND remind_days BETWEEN 0 AND 25", name="days"),
        CheckConstraint("hour BETWEEN 6 AND 20 AND quiet_days BETWEEN 1 AND 365", name="hour"),
        CheckConstraint("silence_days BETWEEN 3 AND 90", name="silence"),
    )
    after_days: Mapped[int]
    hour: Mapped[int]
    working_days: Mapped[bool]
    remind_days: Mapped[int]
    quiet_days: Mapped[int]
    silence_days: Mapped[int] = mapped_column(server_default="14")
    anonymous: Mapped[bool] = mapped_column(default=False, server_default="false")


@dataclass(frozen=True, slots=True)
class Terms:
    """`after` what was to happen, at this hour of the customer; at most one question in so many quiet days.

    A case ends when the customer has been silent for so many days after our last word.
    """

    after: timedelta
    hour: int = 9
    working_days: bool = False
    remind_days: int = 5
    quiet_days: int = 90
    silence_days: int = 14
    anonymous: bool = False

    @property
    def quiet(self) -> timedelta:
        return timedelta(days=self.quiet_days)

    @property
    def silence(self) -> timedelta:
        return timedelta(days=self.silence_days)


def terms() -> Terms:
    """What holds now."""
    row = session.scalar(select(SurveyTerms))
    if row is None:
        return Terms(current_app.config["SETTINGS"].survey_after)
    days = (row.remind_days, row.quiet_days, row.silence_days)
    return Terms(timedelta(days=row.after_days), row.hour, row.working_days, *days, anonymous=row.anonymous)


def set_terms(
    *,
    after_days: int,
    hour: int,
    working_days: bool,
    remind_days: int,
    quiet_days: int,
    silence_days: int = 14,
    anonymous: bool = False,
) -> None:
    """These hold from now on, for questions that are arranged from now on. Reminders and quiet days hold at once."""
    values = {"after_days": after_days, "hour": hour, "working_days": working_days}
    values |= {"remind_days": remind_days, "quiet_days": quiet_days, "silence_days": silence_days}
    values["anonymous"] = anonymous
    new = insert(SurveyTerms).values(id=1, **values)
    session.execute(new.on_conflict_do_update(index_elements=["id"], set_=values))


def ask_at(since: datetime, country: str | None, held: Terms, *, shop_country: str, shop_zone: ZoneInfo) -> datetime:
    """The first morning hour that is not before `since` and the days to wait; shorter waits than a day are exact."""
    earliest = since + held.after
    if held.after < A_DAY:
        return earliest
    zone = morning_zone(country, shop_zone)
    local = earliest.astimezone(zone)
    day = local.date() if local.time() <= time(held.hour) else local.date() + A_DAY
    if held.working_days:
        day = on_or_after(day, country or shop_country)
    return datetime.combine(day, time(held.hour), zone).astimezone(UTC)


def morning_zone(country: str | None, shop_zone: ZoneInfo) -> ZoneInfo:
    """The country's zone; of several the shop's own, else the one where morning comes last: it is night nowhere."""
    names = [name for name, place in get_global("zone_territories").items() if place == country]
    if not names or shop_zone.key in names:
        return shop_zone
    at = datetime(2026, 1, 15, tzinfo=UTC)
    return min(map(ZoneInfo, names), key=lambda zone: zone.utcoffset(at) or timedelta())
