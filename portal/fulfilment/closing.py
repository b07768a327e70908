"""A courier's day, closed once: what was handed over goes on one list to be signed, what missed it on the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, ForeignKey, UniqueConstraint, and_, func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or_update
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal.db import Base, session
from portal.fulfilment import manifests
from portal.fulfilment.models import Parcel
from portal.fulfilment.rules import COURIERS, courier_name
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.staff.models import Staff

SHOWN = 20


class Closing(Base):
    """One courier's day, closed. What was handed over from `since` on and stood on no list stands on this one."""

    __tablename__ = "closings"
    __table_args__ = (UniqueConstraint("courier", "day"),)
    courier: Mapped[str]
    day: Mapped[date]
    since: Mapped[datetime]
    closed_at: Mapped[datetime]
    closed_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    closed_by: Mapped[Staff] = relationship()

    @property
    def ref(self) -> str:
        """What the list's bars say."""
        return f"HL-{self.day:%Y%m%d}-{self.id}"


class ListedParcel(Base):
    """A parcel on a courier's list; on one only."""

    __tablename__ = "closing_parcels"
    closing_id: Mapped[int] = mapped_column(ForeignKey("closings.id"), index=True)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcels.id"), unique=True)


class PickupTerms(Base):
    """What was agreed with a courier: where its van stops, and until when it is ordered for the same day."""

    __tablename__ = "pickup_terms"
    courier: Mapped[str] = mapped_column(unique=True)
    place: Mapped[str]
    order_until: Mapped[time]
    opens: Mapped[time]
    closes: Mapped[time]


@dataclass(frozen=True, slots=True)
class Day:
    """A courier's day so far: what goes on its list, what is still here, when it was closed."""

    courier: str
    ready: int
    grams: int
    still_here: int
    closing: Closing | None
    terms: PickupTerms | None

    @property
    def name(self) -> str:
        return courier_name(self.courier)


def _midnight(now: datetime) -> datetime:
    return datetime.combine(shop_day(now), time(), current_app.config["SETTINGS"].zone)


def _unlisted(now: datetime) -> ColumnElement[bool]:
    """Handed over, on no list; what left before a courier's first list was begun is on paper elsewhere."""
    listed = select(ListedParcel.id).where(ListedParcel.parcel_id == Parcel.id).exists()
    first = select(func.min(Closing.since)).where(Closing.courier == Parcel.courier).scalar_subquery()
    begun = func.coalesce(first, _midnight(now))
    return and_(Parcel.state == "handed_over", ~listed, Parcel.handed_over_at >= begun)


def days(*, now: datetime) -> list[Day]:
    """Every courier that something is about today, in three statements."""
    ready, here = _unlisted(now), and_(Parcel.state == "packed", Parcel.tracking_number.is_not(None))
    counts = (func.count().filter(ready), func.sum(Parcel.weight_grams).filter(ready), func.count().filter(here))
    found = select(Parcel.courier, *counts).where(Parcel.courier.is_not(None), ready | here).group_by(Parcel.courier)
    counted = {str(courier): tuple(rest) for courier, *rest in session.execute(found)}
    todays = select(Closing).where(Closing.day == shop_day(now)).options(joinedload(Closing.closed_by))
    closed = {one.courier: one for one in session.scalars(todays)}
    terms = {one.courier: one for one in session.scalars(select(PickupTerms))}
    names = sorted({*counted, *closed, *terms}, key=courier_name)
    return [_day(name, counted.get(name, (0, 0, 0)), closed.get(name), terms.get(name)) for name in names]


def _day(name: str, counted: Sequence[int | None], closed: Closing | None, terms: PickupTerms | None) -> Day:
    ready, grams, here = (count or 0 for count in counted)
    return Day(name, ready, grams, here, closed, terms)


def latest() -> Sequence[Closing]:
    """The last lists, to be printed again."""
    found = select(Closing).options(joinedload(Closing.closed_by)).order_by(Closing.id.desc()).limit(SHOWN)
    return session.scalars(found).all()


def close_day(courier: str, *, by: Staff, now: datetime) -> Closing:
    """Put on one list all that this courier took and that stands on none.

    Raises Refused the second time on a day, and when there is nothing to list.
    """
    known = session.scalar(select(Closing).where(Closing.courier == courier).order_by(Closing.id.desc()).limit(1))
    since = known.since if known else _midnight(now)
    values = {"courier": courier, "day": shop_day(now), "since": since, "closed_at": now, "closed_by_id": by.id}
    new = insert_or_update(Closing).values(values).on_conflict_do_nothing().returning(Closing.id)
    closing_id = session.scalar(new)
    if closing_id is None:
        raise Refused(
            _("The day of %(courier)s is closed already. What leaves now is on the next list.", courier=_name(courier))
        )
    gone = session.scalars(
        select(Parcel.id).where(_unlisted(now), Parcel.courier == courier).order_by(Parcel.handed_over_at, Parcel.id)
    ).all()
    if not gone:
        raise Refused(_("%(courier)s has taken nothing that is not on a list yet.", courier=_name(courier)))
    session.execute(insert(ListedParcel), [{"closing_id": closing_id, "parcel_id": parcel_id} for parcel_id in gone])
    manifests.want(closing_id, gone, now=now)
    return session.get_one(Closing, closing_id)


def _name(courier: str) -> str:
    return courier_name(courier) or "–"


def parcels_on(closing: Closing) -> Sequence[Parcel]:
    """The list, as it was handed over."""
    listed = select(Parcel).join(ListedParcel, ListedParcel.parcel_id == Parcel.id)
    found = listed.where(ListedParcel.closing_id == closing.id).options(joinedload(Parcel.order))
    return session.scalars(found.order_by(ListedParcel.id)).all()


def parcel_ids_on(closing_id: int) -> list[int]:
    found = select(ListedParcel.parcel_id).where(ListedParcel.closing_id == closing_id)
    return list(session.scalars(found.order_by(ListedParcel.id)))


def terms_of(courier: str) -> PickupTerms | None:
    return session.scalar(select(PickupTerms).where(PickupTerms.courier == courier))


def agree(courier: str, place: str, order_until: time, opens: time, closes: time) -> None:
    """Write down what was agreed. Raises Refused for a window that is none, and for a courier nobody knows."""
    if courier not in COURIERS or not place.strip():
        raise Refused(_("Say with whom it was agreed, and where the van stops."))
    if opens >= closes or order_until >= closes:
        raise Refused(_("The van must be ordered before it comes, and come before it leaves."))
    values = {"place": place.strip()[:100], "order_until": order_until, "opens": opens, "closes": closes}
    new = insert_or_update(PickupTerms).values(courier=courier, **values)
    session.execute(new.on_conflict_do_update(index_elements=["courier"], set_=values))


def refuse_after_cut_off(courier: str, day: date, now: datetime) -> PickupTerms | None:
    """What was agreed with the courier. Raises Refused when it takes no order for this day any more."""
    terms, local = terms_of(courier), now.astimezone(current_app.config["SETTINGS"].zone)
    if terms and day == local.date() and local.time() > terms.order_until:
        until = terms.order_until.strftime("%H:%M")
        raise Refused(
            _("%(courier)s takes orders for the same day until %(time)s only.", courier=_name(courier), time=until)
        )
    return terms
