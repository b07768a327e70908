"""What may be done with the offices' work: take it over, send it back with the reason, hand it on; and lose none."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import contains_eager

from portal.db import move, session
from portal.lib.errors import Refused
from portal.offices.kinds import KINDS, Kind
from portal.offices.models import OFFICES, OfficeWork
from portal.orders.timeline import named, names, record, words
from portal.staff.absences import hand_over, is_here, responsible_for
from portal.staff.models import Staff
from portal.staff.words import DEPARTMENT

PERMISSION = {"returns": "returns.receive", "support": "cases.work", "finance": "refunds.approve"}
REASONS: dict[str, Any] = {
    "facts_missing": _l("Facts are missing"),
    "wrong_amount": _l("The amount is wrong"),
    "ask_customer": _l("The customer has to be asked first"),
    "not_ours": _l("It is not ours to do"),
    "other": _l("Something else"),
}
"""Why an office may send work back."""
BATCH = 500

names({f"office:{code}": DEPARTMENT[code] for code in OFFICES})
names({f"sent_back:{code}": told for code, told in REASONS.items()})
words("office.sent_back", staff=_l("%(office)s sent it back: %(why)s. %(note)s"))
words("office.handed_on", staff=_l("Handed on to %(office)s: %(note)s"))


def accept(work: OfficeWork, *, by: Staff, now: datetime) -> None:
    """Take it over. Raises Refused for another office's work, and when it is taken already."""
    _lock(work, by)
    move(work, "state", "accept", owner_id=by.id, answered_at=now)


def _lock(work: OfficeWork, by: Staff) -> None:
    session.refresh(work, with_for_update={"of": OfficeWork})
    if work.done_at:
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    if not by.may(PERMISSION[work.office]):
        raise Refused(_("This is another department's work."))


def send_back(work: OfficeWork, reason: str, note: str, *, by: Staff, now: datetime) -> None:
    """Back to the office that handed it over, with the reason. Raises Refused without one, and for what nobody gave."""
    _lock(work, by)
    if work.giver is None:
        raise Refused(_("No office handed it to you. Hand it on to the one that should do something."))
    if reason not in REASONS or (reason == "other" and not note):
        raise Refused(_("Say why it goes back."))
    move(work, "state", "refuse", reason=reason, note=note, done_at=now, answered_at=work.answered_at or now)
    _offer(work, work.giver, note, _who_did(work, work.giver), now, came_back=True)
    facts = {"office": named(f"office:{work.office}"), "why": named(f"sent_back:{reason}")}
    _tell(work, "office.sent_back", note, by, now, **facts)


def hand_on(work: OfficeWork, to: str, note: str, *, by: Staff, now: datetime) -> None:
    """This person has done their part: another office is asked for the rest. Raises Refused without saying for what."""
    _lock(work, by)
    if to not in OFFICES or to == work.office:
        raise Refused(_("Choose another office."))
    if not note:
        raise Refused(_("Say what they are to do."))
    if work.state == "offered":
        move(work, "state", "accept", owner_id=by.id, answered_at=now)
    work.done_at = now
    session.flush()
    _offer(work, to, note, by.id, now)
    _tell(work, "office.handed_on", note, by, now, office=named(f"office:{to}"))


def _offer(
    before: OfficeWork, office: str, note: str, owner: int | None, now: datetime, *, came_back: bool = False
) -> None:
    same = {"kind": before.kind, "subject_id": before.subject_id, "order_id": before.order_id, "giver": before.office}
    owner_id = owner or responsible_for(office, now=now) or before.owner_id
    session.add(OfficeWork(**same, office=office, note=note, owner_id=owner_id, offered_at=now, came_back=came_back))
    session.flush()


def _who_did(work: OfficeWork, office: str) -> int | None:
    """Who had it in this office last, while they are still here."""
    theirs = (OfficeWork.kind == work.kind, OfficeWork.subject_id == work.subject_id, OfficeWork.office == office)
    found = select(Staff.id).join(OfficeWork, OfficeWork.owner_id == Staff.id).where(*theirs)
    return session.scalar(found.where(Staff.disabled_at.is_(None)).order_by(OfficeWork.id.desc()).limit(1))


def _tell(work: OfficeWork, kind: str, note: str, by: Staff, now: datetime, **facts: Any) -> None:
    if work.order_id is not None:
        record(work.order_id, kind, by=by, now=now, note=note or "–", **facts)


# --- never without an owner -------------------------------------------------------------------------------------------


def follow(*, now: datetime) -> int:
    """Give what is to be done an owner, end what is done, let nobody own anything who is not here. How many changed."""
    changed = sum(_begin(code, kind, now) + _end(code, kind, now) for code, kind in KINDS.items())
    return changed + _inherit(now)


def _begin(code: str, kind: Kind, now: datetime) -> int:
    due = kind.waiting().subquery()
    known = select(OfficeWork.subject_id).where(OfficeWork.kind == code, OfficeWork.done_at.is_(None))
    asker = select(due, Staff.id.label("asker_id"), Staff.role).outerjoin(
        Staff, (Staff.id == due.c.asked_by_id) & Staff.disabled_at.is_(None)
    )
    rows = session.execute(asker.where(due.c.id.not_in(known)).order_by(due.c.since, due.c.id).limit(BATCH)).mappings()
    found = rows.all()
    head = responsible_for(kind.office, now=now) if found else None
    new = [_row(code, kind, row, head) for row in found if row["asker_id"] or head]
    if new:
        session.execute(insert(OfficeWork).values(new).on_conflict_do_nothing())
    return len(new)


def _row(code: str, kind: Kind, row: Mapping[Any, Any], head: int | None) -> dict[str, Any]:
    """Until it is accepted it is theirs who asked for it, else the responsible person's."""
    giver = row["role"] if row["role"] in OFFICES and row["role"] != kind.office else None
    return {
        "kind": code, "subject_id": row["id"], "order_id": row["order_id"], "office": kind.office, "giver": giver,
        "state": "offered", "owner_id": row["asker_id"] or head, "reason": "", "note": "", "came_back": False,
        "offered_at": row["since"],
    }  # fmt: skip


def _end(code: str, kind: Kind, now: datetime) -> int:
    """What is no longer to be done is done; who did it had taken it over."""
    still = kind.waiting().subquery()
    left = select(OfficeWork).where(OfficeWork.kind == code, OfficeWork.done_at.is_(None))
    gone = left.where(OfficeWork.subject_id.not_in(select(still.c.id))).limit(BATCH).with_for_update(of=OfficeWork)
    rows = session.scalars(gone).all()
    done = session.execute(kind.doers([row.subject_id for row in rows])).all() if rows else []
    doers = {row_id: person for row_id, person in done if person}
    for row in rows:
        if row.state == "offered":
            move(row, "state", "accept", owner_id=doers.get(row.subject_id) or row.owner_id, answered_at=now)
        row.done_at = now
    return len(rows)


def _inherit(now: datetime) -> int:
    """What somebody had who is shut out goes to the office's responsible person; of who is away, to the deputy."""
    gone = select(OfficeWork).join(OfficeWork.owner).where(OfficeWork.done_at.is_(None), ~is_here(now))
    whole = gone.options(contains_eager(OfficeWork.owner)).limit(BATCH).with_for_update(of=OfficeWork)
    return hand_over(((orphan, orphan.office) for orphan in session.scalars(whole).all()), now=now)
