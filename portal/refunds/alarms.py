"""What does not fit about money: found by the daily comparison, closed when it is gone or a person explains it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, select

from portal.db import session
from portal.lib.errors import Refused
from portal.refunds.models import MoneyAlarm
from portal.refunds.rules import check_note
from portal.staff.models import Staff


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
    explained = _explained(kinds) if wanted else set()
    fresh = [one for one in wanted.values() if (one.kind, one.key, one.detail) not in explained]
    session.add_all(_alarm(one, now) for one in fresh)
    session.flush()
    return len(fresh)


def _open(kinds: Sequence[str]) -> Select[Any]:
    return select(MoneyAlarm).where(MoneyAlarm.kind.in_(kinds), MoneyAlarm.closed_at.is_(None))


def _explained(kinds: Sequence[str]) -> set[tuple[str, str, str]]:
    known = select(MoneyAlarm.kind, MoneyAlarm.key, MoneyAlarm.detail)
    rows = session.execute(known.where(MoneyAlarm.kind.in_(kinds), MoneyAlarm.explained_by_id.is_not(None)))
    return {(kind, key, detail) for kind, key, detail in rows}


def _alarm(one: Trouble, now: datetime) -> MoneyAlarm:
    about = {"order_id": one.order_id, "refund_id": one.refund_id}
    return MoneyAlarm(kind=one.kind, key=one.key, detail=one.detail, found_at=now, **about)


def explain_alarm(alarm: MoneyAlarm, *, note: str, by: Staff, now: datetime) -> None:
    """A person has looked, and says why it is right as it is. Raises Refused without a reason, and the second time."""
    check_note(note)
    session.refresh(alarm, with_for_update={"of": MoneyAlarm})
    if alarm.closed_at is not None:
        raise Refused(_("This is closed already. Nothing was changed."))
    alarm.closed_at, alarm.explained_by_id, alarm.note = now, by.id, note
