"""The outer loop: what is behind cases and answers is taken up, changed, and looked at again."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime, timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, delete, literal, null, select
from sqlalchemy.dialects.postgresql import insert

from portal.db import move, session
from portal.feedback import cause_models
from portal.feedback.case_models import Case
from portal.feedback.cause_models import About, Cause, CauseChange, CauseMember, names_of
from portal.feedback.models import Answer, SurveyInvitation
from portal.feedback.owners import supervisor
from portal.fulfilment.rules import COURIERS
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.orders.timeline import record, words
from portal.returns.models import FOUND, WITHDRAWN
from portal.returns.reasons import all_reasons
from portal.staff.models import Staff
from portal.staff.rules import DEPARTMENTS

words("case.put_to_cause", staff=_l("Counted among those that came of “%(cause)s”"))
words("case.put_to_none", staff=_l("Counted among no common cause"))

MOST_CHANGES = 20
LOOKED_BACK = timedelta(weeks=13)
"""So old may be what belongs to a cause when it is taken up."""
FOUND_LATER = timedelta(days=30)
"""So long after a case was opened or an answer given it may turn out what was behind it: a return says why."""


def take_up(about: About, *, by: Staff, now: datetime) -> Cause:
    """Somebody looks after it from now on; what fits already belongs to it. The one that is open, when there is one.

    Raises Refused for what this shop does not know.
    """
    _refuse_unknown(about)
    row = {**asdict(about), "state": "open", "owner_id": by.id, "opened_by_id": by.id, "opened_at": now}
    new = session.scalar(insert(Cause).values(row).on_conflict_do_nothing().returning(Cause.id))
    cause = session.scalars(select(Cause).where(*_open_about(about))).one()
    if new:
        gather([cause], since=now - LOOKED_BACK, now=now)
    return cause


def _open_about(about: About) -> list[ColumnElement[bool]]:
    return [Cause.state == "open", *(getattr(Cause, name) == value for name, value in asdict(about).items())]


def _refuse_unknown(about: About) -> None:
    if not any((about.product, about.courier, about.department, about.reason)):
        raise Refused(_("Say what it is about: a product, a courier, a department or a reason."))
    if sum(map(bool, (about.product, about.courier, about.department))) > 1:
        raise Refused(_("Choose one of product, courier and department; a reason can go with product or courier."))
    if about.department and (about.reason or about.department not in DEPARTMENTS):
        raise Refused(_("Choose a department, and no reason with it."))
    if about.product and not cause_models.was_sold(about.product):
        raise Refused(_("No order ever had an article “%(sku)s”.", sku=about.product))
    if about.courier and about.courier not in COURIERS:
        raise Refused(_("Choose one of the list."))
    if about.reason and about.reason not in (*all_reasons(), WITHDRAWN, FOUND):
        raise Refused(_("Choose one of the list."))


def gather(causes: Iterable[Cause], *, since: datetime, now: datetime) -> None:
    """Put to each cause what fits since then and was put to none, the most particular cause first."""
    session.flush()
    for cause in sorted(causes, key=_particular):
        fits, head = cause_models.belongs(cause.about), (literal(cause.id), literal(now))
        found = cause_models.cases_since(since, *head, Case.id, null()).where(fits)
        alone = cause_models.bad_answers_since(since, *head, null(), Answer.id).where(fits, Case.id.is_(None))
        for rows in (found, alone):
            columns = ("cause_id", "put_at", "case_id", "answer_id")
            session.execute(insert(CauseMember).from_select(columns, rows).on_conflict_do_nothing())


def _particular(cause: Cause) -> tuple[bool, bool, int]:
    """A product with a reason before a product, and that before a reason or a department alone."""
    where = bool(cause.product or cause.courier)
    return not (where and cause.reason), not where, cause.id


def gather_lately(*, now: datetime) -> None:
    """What came or turned out since the last time finds its cause; what people who left had goes to a manager."""
    causes = cause_models.open_causes()
    gather(causes, since=now - FOUND_LATER, now=now)
    for cause in causes:
        heir = supervisor(cause.owner_id, now=now) if cause.owner.disabled_at else None
        cause.owner_id = heir.id if heir else cause.owner_id


def put(cause: Cause, number: str, *, by: Staff, now: datetime) -> int:
    """A person says that this order's cases, or its answer, came of this cause. How many were put there.

    Raises Refused for an order of which there is neither.
    """
    _lock_open(cause)
    found = cause_models.feedback_of(number)
    if not found:
        raise Refused(_("Of an order %(number)s there is neither a case nor an answer.", number=number))
    return sum(_put(cause, member, by, now) for member in found)


def put_case(case: Case, cause: Cause | None, *, by: Staff, now: datetime) -> None:
    """A person says what the case came of; of nothing common, without a cause."""
    if cause:
        _lock_open(cause)
    _put(cause, {"case_id": case.id}, by, now)


def _lock_open(cause: Cause) -> None:
    session.refresh(cause, with_for_update={"of": Cause})
    if cause.state != "open":
        raise Refused(_("This cause is closed. Open it again first."))


def _put(cause: Cause | None, what: dict[str, int], by: Staff, now: datetime) -> bool:
    """Whether it was elsewhere before."""
    [(column, _id)] = what.items()
    values = {"cause_id": cause and cause.id, "put_by_id": by.id, "put_at": now}
    new = insert(CauseMember).values(**what, **values)
    elsewhere = CauseMember.cause_id.is_distinct_from(cause and cause.id)
    put = new.on_conflict_do_update(index_elements=[column], set_=values, where=elsewhere).returning(CauseMember)
    member = session.scalar(put, execution_options={"populate_existing": True})
    if member is None:
        return False
    kind, facts = ("case.put_to_cause", {"cause": names_of([cause])[0]}) if cause else ("case.put_to_none", {})
    record(_order_of(member), kind, by=by, now=now, **facts)
    return True


def _order_of(member: CauseMember) -> int:
    if member.case_id:
        return session.scalars(select(Case.order_id).where(Case.id == member.case_id)).one()
    told = select(SurveyInvitation.order_id).join(Answer, Answer.invitation_id == SurveyInvitation.id)
    return session.scalars(told.where(Answer.id == member.answer_id)).one()


def take_out(cause: Cause, member_id: int, *, by: Staff, now: datetime) -> None:
    """It did not come of this cause, says a person; it does not find its way back by itself."""
    _lock_open(cause)
    member = session.get(CauseMember, member_id)
    if member is None or member.cause_id != cause.id:
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    member.cause_id, member.put_by_id, member.put_at = None, by.id, now
    record(_order_of(member), "case.put_to_none", by=by, now=now)


def note_change(cause: Cause, changed_on: date, note: str, *, by: Staff, now: datetime) -> CauseChange:
    """Say what was changed, and from which day on customers meet it so. Raises Refused for a day that has not come."""
    _lock_open(cause)
    if changed_on > shop_day(now):
        raise Refused(_("This day is still to come. Note it when it was changed."))
    if len(cause.changes) >= MOST_CHANGES:
        raise Refused(_("There are too many changes. Remove one first."))
    change = CauseChange(cause_id=cause.id, changed_on=changed_on, note=note, noted_by_id=by.id, noted_at=now)
    session.add(change)
    session.flush()
    session.expire(cause, ["changes"])
    return change


def remove_change(cause: Cause, change_id: int) -> None:
    """It was noted by mistake. Raises Refused for one that is gone."""
    _lock_open(cause)
    mine = delete(CauseChange).where(CauseChange.id == change_id, CauseChange.cause_id == cause.id)
    if session.scalar(mine.returning(CauseChange.id)) is None:
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    session.expire(cause, ["changes"])


def give(cause: Cause, to: Staff, *, instead_of: int | None) -> None:
    """Somebody else looks after it from now on, instead of the one who did when the page was read."""
    _lock_open(cause)
    if cause.owner_id == to.id:
        return
    if cause.owner_id != instead_of:
        raise Refused(_("Somebody else took this cause a moment ago."))
    if to.disabled_at or not to.may("cases.work"):
        raise Refused(_("This cause can't go to %(name)s.", name=to.name))
    cause.owner_id = to.id


def close(cause: Cause, *, now: datetime) -> None:
    """It is gone, or nothing can be done about it; what belongs to it stays with it."""
    move(cause, "state", "close", closed_at=now)


def reopen(cause: Cause) -> None:
    """It is there again. Raises Refused while another one about the same is open."""
    if session.scalar(select(Cause.id).where(*_open_about(cause.about))):
        raise Refused(_("This was taken up anew already."))
    move(cause, "state", "reopen", closed_at=None)
