"""What does not fit about money: an alarm opens once, is told once, and closes when it is over or explained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert

from portal import mail
from portal.db import session
from portal.lib.errors import Refused
from portal.refunds import words
from portal.refunds.models import MoneyAlarm
from portal.refunds.rules import check_note
from portal.staff.models import Staff
from portal.staff.rules import PERMISSIONS

END_BY_THEMSELVES = ("key_refused",)
"""No person can talk these away."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a look found: the same kind and key is the same trouble; `detail` holds the figures that don't fit."""

    kind: str
    key: str
    detail: str
    order_id: int | None = None
    refund_id: int | None = None


def keep_alarms(found: Iterable[Trouble], kinds: Sequence[str], *, now: datetime) -> int:
    """Make the open alarms of these kinds what was found: new ones open, those that are gone close. How many are new.

    What a person explained does not come back while its figures stay the same.
    """
    wanted = {(one.kind, one.key): one for one in found}
    for alarm in session.scalars(_open(kinds).with_for_update(of=MoneyAlarm)):
        if wanted.pop((alarm.kind, alarm.key), None) is None:
            alarm.closed_at = now
    return raise_alarms(wanted.values(), now=now)


def _open(kinds: Sequence[str]) -> Select[Any]:
    return select(MoneyAlarm).where(MoneyAlarm.kind.in_(kinds), MoneyAlarm.closed_at.is_(None))


def raise_alarms(found: Iterable[Trouble], *, now: datetime) -> int:
    """Open these, but for those that are open or explained, and tell of them. How many are new.

    Of several who find the same trouble at once, one opens the alarm and tells of it.
    """
    unexplained = _unexplained(list(found))
    if not unexplained:
        return 0
    rows = [
        {
            "kind": one.kind, "key": one.key, "detail": one.detail, "note": "",
            "order_id": one.order_id, "refund_id": one.refund_id, "found_at": now,
        }
        for one in unexplained
    ]  # fmt: skip
    made = insert(MoneyAlarm).values(rows).on_conflict_do_nothing().returning(MoneyAlarm.kind, MoneyAlarm.detail)
    fresh = [(row.kind, row.detail) for row in session.execute(made)]
    if fresh:
        _tell(fresh, now)
    return len(fresh)


def _unexplained(found: Sequence[Trouble]) -> list[Trouble]:
    if not found:
        return []
    known = select(MoneyAlarm.kind, MoneyAlarm.key, MoneyAlarm.detail).where(MoneyAlarm.explained_by_id.is_not(None))
    rows = session.execute(known.where(MoneyAlarm.kind.in_({one.kind for one in found})))
    explained = {(kind, key, detail) for kind, key, detail in rows}
    return [one for one in found if (one.kind, one.key, one.detail) not in explained]


def _tell(fresh: Sequence[tuple[str, str]], now: datetime) -> None:
    """One letter to everybody who may approve money, however many are new."""
    roles = [role.value for role, may in PERMISSIONS.items() if "refunds.approve" in may]
    here = (Staff.role.in_(roles), Staff.disabled_at.is_(None), Staff.password_hash.is_not(None))
    for person in session.scalars(select(Staff).where(*here).order_by(Staff.id)):
        mail.queue("money-alarm", to=person.email, locale=person.locale, now=now, alarms=fresh, words=words)


def close_alarm(kind: str, key: str, *, now: datetime) -> bool:
    """It is over; whether it was open."""
    still = (MoneyAlarm.kind == kind, MoneyAlarm.key == key, MoneyAlarm.closed_at.is_(None))
    closed = update(MoneyAlarm).where(*still).values(closed_at=now).returning(MoneyAlarm.id)
    return session.execute(closed).first() is not None


def explain_alarm(alarm: MoneyAlarm, *, note: str, by: Staff, now: datetime) -> None:
    """A person has looked, and says why it is right as it is. Raises Refused without a reason, and the second time."""
    check_note(note)
    session.refresh(alarm, with_for_update={"of": MoneyAlarm})
    if alarm.closed_at is not None:
        raise Refused(_("This is closed already. Nothing was changed."))
    if alarm.kind in END_BY_THEMSELVES:
        raise Refused(_("This ends by itself when Stripe takes the key."))
    alarm.closed_at, alarm.explained_by_id, alarm.note = now, by.id, note
