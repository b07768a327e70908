"""How long each kind is kept, by country, and what becomes of it then."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, Index, ScalarSelect, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.feedback.models import Answer, SurveyInvitation
from portal.feedback.rollups import forget_words_of, nameless
from portal.inbox.models import InboxMessage
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.looks import Look
from portal.orders.models import Grant, Link, Order, TimelineEntry
from portal.pictures.models import Picture
from portal.privacy.actions import forget
from portal.privacy.models import matters
from portal.returns.withdrawals import Withdrawal
from portal.staff import journal
from portal.staff.models import StaffEvent

AT_ONCE = 500
"""Orders that are forgotten in one night at most: a shop that has just set a term must not stand still."""


class RetentionTerm(Base):
    """Another term than ours, for one country, or with an empty country for all that have none of their own."""

    __tablename__ = "retention_terms"
    __table_args__ = (
        Index("uq_retention_terms_kind_country", "kind", "country", unique=True),
        CheckConstraint("days BETWEEN 1 AND 7300", name="days"),
    )
    kind: Mapped[str]
    country: Mapped[str] = mapped_column(default="")
    days: Mapped[int]


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that is kept for so many days. `ripe` finds the ids of what is older, `take` lets it go."""

    name: Any
    days: int
    ripe: Callable[[datetime], Select[Any]]
    take: Callable[[Any, datetime], Any]


def _ripe_messages(before: datetime) -> Select[Any]:
    return select(InboxMessage.id).where(InboxMessage.state == "done", InboxMessage.received_at < before)


def _drop_messages(ids: Select[Any], _now: datetime) -> None:
    session.execute(delete(InboxMessage).where(InboxMessage.id.in_(ids)))


def _ripe_letters(before: datetime) -> Select[Any]:
    old = (Letter.state.in_(("sent", "suppressed")), Letter.created_at < before, Letter.text != "")
    return select(Letter.id).outerjoin(Order, Order.id == Letter.order_id).where(*old)


def _empty_letters(ids: Select[Any], _now: datetime) -> None:
    """That it was written stays: to whom, when, about what."""
    session.execute(update(Letter).where(Letter.id.in_(ids)).values(html="", text="", headers={}, error=None))


def _ripe_links(before: datetime) -> Select[Any]:
    return select(Link.id).join(Order).where(Link.expires_at < before)


def _drop_links(ids: Select[Any], _now: datetime) -> None:
    session.execute(delete(Grant).where(Grant.link_id.in_(ids)))
    session.execute(delete(Link).where(Link.id.in_(ids)))


def _ripe_looks(before: datetime) -> Select[Any]:
    return select(Look.id).join(Order).where(Look.at < before)


def _drop_looks(ids: Select[Any], _now: datetime) -> None:
    session.execute(delete(Look).where(Look.id.in_(ids)))


def _ripe_answers(before: datetime) -> Select[Any]:
    """Also those that know no order any more: they go with the orders of no country of their own."""
    old = select(Answer.id).outerjoin(SurveyInvitation, SurveyInvitation.id == Answer.invitation_id)
    old = old.outerjoin(Order, Order.id == SurveyInvitation.order_id)
    return old.where(Answer.answered_at < before, Answer.words != "")


def _silence_answers(ids: Select[Any], _now: datetime) -> None:
    of = select(SurveyInvitation.order_id, Answer.id).join_from(Answer, Answer.invitation, isouter=True)
    keys = [order_id or nameless(answer_id) for order_id, answer_id in session.execute(of.where(Answer.id.in_(ids)))]
    session.execute(update(Answer).where(Answer.id.in_(ids)).values(words=""))
    forget_words_of(keys)


def _ripe_pictures(before: datetime) -> Select[Any]:
    """Those of orders of which no return, refund or case is open, and with which nothing has happened since."""
    nothing_open = [~matter for name, matter in matters(before).items() if name != "order"]
    found = select(Picture.id).join(Order, Order.id == Picture.order_id)
    return found.where(Picture.about.is_not(None), Picture.uploaded_at < before, _last() < before, *nothing_open)


def _last() -> ScalarSelect[Any]:
    """When the last thing happened to the order."""
    return select(func.max(TimelineEntry.at)).where(TimelineEntry.order_id == Order.id).scalar_subquery()


def _drop_pictures(ids: Select[Any], _now: datetime) -> None:
    session.execute(delete(Picture).where(Picture.id.in_(ids)))


def _ripe_withdrawals(before: datetime) -> Select[Any]:
    """Those that were about no order of ours: the others go with their order."""
    found = select(Withdrawal.id).outerjoin(Order, Order.id == Withdrawal.order_id)
    return found.where(Withdrawal.order_id.is_(None), Withdrawal.state == "answered", Withdrawal.stated_at < before)


def _drop_withdrawals(ids: Select[Any], _now: datetime) -> None:
    session.execute(delete(Withdrawal).where(Withdrawal.id.in_(ids)))


def _ripe_orders(before: datetime) -> Select[Any]:
    """Finished orders with which nothing has happened since."""
    nothing_open = [~matter for matter in matters(before).values()]
    return select(Order.id).where(Order.erased_at.is_(None), Order.placed_at < before, _last() < before, *nothing_open)


def _forget_orders(ids: Select[Any], now: datetime) -> None:
    found = session.scalars(ids.order_by(Order.id).limit(AT_ONCE)).all()
    if found:
        forget(found, now=now)


def _ripe_journal(before: datetime) -> Select[Any]:
    return select(StaffEvent.id).where(StaffEvent.at < before)


def _drop_journal(ids: Select[Any], now: datetime) -> None:
    last = session.scalar(select(func.max(ids.subquery().c.id)))
    if last is not None:
        journal.let_go(last, now=now)


KINDS: Mapping[str, Kind] = {
    "messages": Kind(_l("Raw messages of shops, couriers and Stripe"), 30, _ripe_messages, _drop_messages),
    "letters": Kind(_l("What letters say (that they were sent stays)"), 30, _ripe_letters, _empty_letters),
    "links": Kind(_l("Links in letters, after they ended"), 90, _ripe_links, _drop_links),
    "looks": Kind(_l("Who of the staff looked at orders"), 365, _ripe_looks, _drop_looks),
    "answers": Kind(_l("Words of customers in surveys (scores stay)"), 730, _ripe_answers, _silence_answers),
    "pictures": Kind(
        _l("Pictures of returns and cases, after the last thing that happened"), 183, _ripe_pictures, _drop_pictures
    ),
    "withdrawals": Kind(
        _l("Withdrawals from contracts that are not ours, once answered"), 1095, _ripe_withdrawals, _drop_withdrawals
    ),
    "journal": Kind(_l("The staff's journal: who came in, whose keys changed"), 730, _ripe_journal, _drop_journal),
    "orders": Kind(_l("Who bought, after the last thing that happened"), 730, _ripe_orders, _forget_orders),
}
WITHOUT_COUNTRY = frozenset({"messages", "withdrawals", "journal"})
LEAST = {"journal": 365}
"""Days below which a term makes no sense: the database keeps it longer anyhow."""


def terms(kind: str) -> Mapping[str, int]:
    """Days by country; the empty country is every other one."""
    own = session.scalars(select(RetentionTerm).where(RetentionTerm.kind == kind))
    return {"": KINDS[kind].days, **{term.country: term.days for term in own}}


def _ripe(kind: str, now: datetime) -> Iterator[tuple[str, Select[Any]]]:
    """What may go, by country."""
    days_of = terms(kind)
    others = [country for country in days_of if country]
    for country, days in days_of.items():
        found = KINDS[kind].ripe(now - timedelta(days=days))
        if country:
            found = found.where(Order.country == country)
        elif others:
            found = found.where(Order.country.is_(None) | Order.country.not_in(others))
        yield country, found


def due(kind: str, *, now: datetime) -> Mapping[str, int]:
    """How much would go now, by country: the dry run."""
    counted = select(func.count())
    return {country: session.scalar(counted.select_from(found.subquery())) or 0 for country, found in _ripe(kind, now)}


def apply(kind: str, *, now: datetime) -> None:
    """Let go what has been kept long enough."""
    for _country, found in _ripe(kind, now):
        KINDS[kind].take(found, now)


def set_term(kind: str, country: str, days: int) -> None:
    """From tonight on; raises Refused for a kind that has no countries."""
    if country and kind in WITHOUT_COUNTRY:
        raise Refused(_("Raw messages belong to no country. Leave it empty."))
    if days < LEAST.get(kind, 1):
        raise Refused(_("The journal proves who did what. It is kept for 365 days at least."))
    new = insert(RetentionTerm).values(kind=kind, country=country, days=days)
    session.execute(new.on_conflict_do_update(index_elements=["kind", "country"], set_={"days": days}))


def drop_term(term_id: int) -> None:
    """Back to what applies without it."""
    session.execute(delete(RetentionTerm).where(RetentionTerm.id == term_id))
