"""Withdrawals: what customers state, kept word for word with its moment, and what follows from it.

Directive 2011/83/EU, Art. 11a: a statement is valid by itself. Nobody approves it, and nothing more may be asked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal import mail
from portal.db import Base, move, paging, session
from portal.fulfilment import drop_off, promises
from portal.jobs import announce
from portal.lib import days
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders import pushes
from portal.orders.flags import tell
from portal.orders.letters import write
from portal.orders.models import Customer, Order
from portal.orders.timeline import record, words
from portal.refunds.actions import give_all_back
from portal.returns.actions import RMA_LENGTH, needs_words
from portal.returns.dates import money_back_by, send_back_by
from portal.returns.locks import lock
from portal.returns.models import WITHDRAWN, Return, ReturnLine, named
from portal.returns.withdrawal_rules import Right, right_of
from portal.staff.models import Actor, Staff

REFERENCE_LENGTH = 10

words(
    "withdrawal.stated",
    staff=_l("Withdrawal %(reference)s received: %(goods)s"),
    customer=_l("You withdrew from the contract: %(goods)s"),
)
words("withdrawal.return", staff=_l("Withdrawal: return %(rma)s opened"), customer=_l("Return %(rma)s opened"))
words("withdrawal.override", staff=_l("Withdrawal %(reference)s carried out although the rules say no: %(note)s"))


class Withdrawal(Base):
    """A statement of withdrawal as it was made. While nobody knows what it is about it has no order.

    `goods` lists what it names, one a line; empty stands for the whole contract. The answer of a person is in `note`.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (
        CheckConstraint("state IN ('received', 'carried_out', 'answered')", name="state"),
        CheckConstraint("(state = 'received') = (settled_at IS NULL)", name="settled"),
        CheckConstraint("state <> 'carried_out' OR order_id IS NOT NULL", name="order"),
        Index("ix_withdrawals_open", "id", postgresql_where="state = 'received'"),
    )
    MOVES = {
        "state": {"carry_out": (("received",), "carried_out"), "answer": (("received",), "answered")},
    }
    reference: Mapped[str] = mapped_column(unique=True)
    form_key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    contract: Mapped[str]
    email: Mapped[str]
    goods: Mapped[str] = mapped_column(default="")
    locale: Mapped[str]
    stated_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="received")
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    return_id: Mapped[int | None] = mapped_column(ForeignKey("returns.id"), unique=True)
    settled_at: Mapped[datetime | None]
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    note: Mapped[str] = mapped_column(default="")
    order: Mapped[Order | None] = relationship()
    ret: Mapped[Return | None] = relationship()
    settled_by: Mapped[Staff | None] = relationship()


def withdraw(order_id: int, chosen: Mapping[int, int], *, key: str, now: datetime) -> Withdrawal:
    """State it for pieces by line, through the order's own link, and carry it out. The same form again is the same.

    The receipt names the customer, so it goes to the address of the order and to no other that a link's bearer types.
    Raises Refused when the period is over, for exempt goods, for more than was bought, and without such an address.
    """
    order = lock(order_id)
    if earlier := stated_by(key):
        return earlier
    right = right_of(order, now=now)
    right.insist(chosen)
    if not order.customer.email:
        raise Refused(_("We have no e-mail address of yours. State it without the link, with your address."))
    who = {"name": order.customer.name, "contract": order.number, "email": order.customer.email}
    whole = chosen == right.everything() and right.is_whole(chosen)
    made = _keep({**who, "goods": "" if whole else _listed(right, chosen), "locale": order.locale}, key, now)
    made.order = order
    _note_down(made, by="customer", now=now)
    _carry_out(made, right, chosen, by="customer", now=now)
    return made


def stated_by(key: str) -> Withdrawal | None:
    """The statement that this form made before."""
    return session.scalar(select(Withdrawal).where(Withdrawal.form_key == key))


def _listed(right: Right, chosen: Mapping[int, int]) -> str:
    return "\n".join(f"{chosen[one.line.id]} × {named(one.line)}" for one in right.items if one.line.id in chosen)


def state(stated: Mapping[str, str], *, key: str, now: datetime) -> Withdrawal:
    """Take a statement from somebody without a link: name, contract, e-mail, goods, locale. The same form again is the
    same statement. Whether it belongs to an order, the worker finds out: `match`.
    """
    return stated_by(key) or _keep(stated, key, now)


def _keep(stated: Mapping[str, str], key: str, now: datetime) -> Withdrawal:
    """The row and, at once, the receipt: content, date and time (Art. 11a(4))."""
    row = {**stated, "reference": reference(REFERENCE_LENGTH).upper(), "form_key": key, "stated_at": now}
    same = insert(Withdrawal).values(**row, state="received", note="").on_conflict_do_nothing()
    session.execute(same)
    made = session.scalars(select(Withdrawal).where(Withdrawal.form_key == key)).one()
    _write("withdrawal-received", made, now)
    return made


def _write(kind: str, made: Withdrawal, now: datetime, **more: Any) -> None:
    at = made.stated_at.astimezone(current_app.config["SETTINGS"].zone)
    told: dict[str, Any] = {"time": f"{at:%H:%M:%S}", "zone": at.tzname(), **more}
    mail.queue(
        kind, to=made.email, locale=made.locale, now=now, order_id=made.order_id, about=f"withdrawal:{made.id}",
        once=f"{kind}:{made.id}", stated=made, day=days.with_year(at.date(), made.locale), **told,
    )  # fmt: skip


def _note_down(made: Withdrawal, *, by: Actor, now: datetime) -> None:
    """On the order's timeline, which is sealed."""
    told = made.goods.replace("\n", ", ") or _("the whole contract")
    record(_order(made).id, "withdrawal.stated", by=by, now=now, reference=made.reference, goods=told)


def _order(made: Withdrawal) -> Order:
    if made.order is None:
        raise Refused(_("Nobody knows yet which order this is about."))
    return made.order


def _carry_out(made: Withdrawal, right: Right, chosen: Mapping[int, int], *, by: Actor, now: datetime) -> None:
    """What has not left stays here and is paid back; what has left comes back first."""
    order, person = right.facts.order, by if isinstance(by, Staff) else None
    if right.is_whole(chosen) and not promises.has_left(order.id) and order.state in ("accepted", "on_hold"):
        promises.cancel_order(order, by=by, now=now)
        pushes.tell_cancelled(order, now=now)
        give_all_back(order, due_on=money_back_by(made.stated_at, None, current_app.config["SETTINGS"]), by=by, now=now)
    else:
        made.ret = _open_return(made, right, chosen, by=by, now=now)
    move(made, "state", "carry_out", settled_at=now, settled_by_id=person.id if person else None)
    _tell_what_follows(made, now)


def _open_return(made: Withdrawal, right: Right, chosen: Mapping[int, int], *, by: Actor, now: datetime) -> Return:
    order = right.facts.order
    lines = [ReturnLine(order_line_id=line, quantity=pieces, reason=WITHDRAWN) for line, pieces in chosen.items()]
    ret = Return(
        rma=reference(RMA_LENGTH).upper(), order_id=order.id, order=order, kind="withdrawal", decision="approved",
        goods="awaited", requested_at=made.stated_at, decided_at=now, lines=lines,
        send_back_by=send_back_by(made.stated_at, current_app.config["SETTINGS"]),
    )  # fmt: skip
    session.add(ret)
    session.flush()
    record(order.id, "withdrawal.return", by=by, now=now, rma=ret.rma)
    announce("return.awaited", return_id=ret.id)
    announce("return.changed", order_id=order.id)
    if promises.lies_here(order.id, chosen):
        tell(order.id, "withdrawn", by=by, now=now)
    return ret


def _tell_what_follows(made: Withdrawal, now: datetime) -> None:
    """Where to send it and until when, or that it stays here; and until when the money is there."""
    order, ret, today = _order(made), made.ret, shop_day(now)
    pay_by = money_back_by(made.stated_at, None, current_app.config["SETTINGS"])
    spelled = {"pay_by": days.spelled(pay_by, today, order.locale)}
    if ret is not None and ret.send_back_by:
        spelled["send_by"] = days.spelled(ret.send_back_by, today, order.locale)
    rows = [(row.told, f"× {row.quantity}") for row in ret.lines] if ret else []
    about = f"return:{ret.id}" if ret else f"withdrawal:{made.id}"
    places = drop_off.lines(order.locale) if ret else []
    told: dict[str, Any] = {"rma": ret.rma if ret else "", "rows": rows, "drop_off": places, **spelled}
    write("withdrawal-next", order, about=about, now=now, **told)


def match(withdrawal_id: int, *, now: datetime) -> None:
    """Find the order of a statement by its number and the address it was ordered with, and carry it out when all of it
    is meant and has left the house; what is less clear than that is a person's.

    Number and address are no proof of who wrote: what has not been sent yet is only held back.
    """
    made = session.get_one(Withdrawal, withdrawal_id, with_for_update=True)
    found = find_orders(made.contract, made.email)
    if made.state != "received" or made.order_id or len(found) != 1:
        return
    made.order = lock(found[0].id)
    _note_down(made, by="customer", now=now)
    right = right_of(made.order, now=made.stated_at)  # in time is what was submitted in time (Art. 11a(5))
    chosen = right.everything()
    if promises.lies_here(made.order.id, chosen):
        tell(made.order.id, "withdrawn", by="customer", now=now)
    elif not made.goods and not right.refusal(chosen):
        _carry_out(made, right, chosen, by="customer", now=now)


def find_orders(number: str, email: str) -> Sequence[Order]:
    """Orders with this number that were ordered with this address; some channels write a # in front, people do not."""
    same = (func.ltrim(func.lower(Order.number), "#") == _plain(number), func.lower(Customer.email) == email.lower())
    return session.scalars(select(Order).join(Order.customer).where(*same).order_by(Order.id.desc()).limit(2)).all()


def _plain(number: str) -> str:
    return number.strip().lower().lstrip("#")


def candidates(made: Withdrawal, asked: str = "") -> Sequence[Order]:
    """Orders that a statement may be about: by its number, its address, or the number that a person typed."""
    numbers = [plain for plain in (_plain(made.contract), _plain(asked)) if plain]
    same = or_(func.ltrim(func.lower(Order.number), "#").in_(numbers), func.lower(Customer.email) == made.email.lower())
    found = select(Order).join(Order.customer).where(or_(same, Order.id == (made.order_id or 0)))
    return session.scalars(found.order_by(Order.id.desc()).limit(5)).all()


def carry_out(
    made: Withdrawal, order_id: int, chosen: Mapping[int, int], *, note: str, by: Staff, now: datetime
) -> None:
    """A person says which order and which goods are meant. Against the rules only with a reason, which is kept.

    Raises Refused when somebody else was quicker, and for what can't come back at all.
    """
    order = _lock_open(made, order_id)
    right = right_of(order, now=made.stated_at)
    if not chosen or any(pieces < 1 for pieces in chosen.values()) or not set(chosen) <= set(_bought(right)):
        raise Refused(_("Choose at least one thing."))
    if any(pieces > _bought(right)[line_id] for line_id, pieces in chosen.items()):
        raise Refused(_("That is more than you can withdraw from."))
    if said := right.refusal(chosen):
        if not note.strip():
            raise Refused(_("%(why)s Do you want it all the same? Say why.", why=said))
        record(order.id, "withdrawal.override", by=by, now=now, reference=made.reference, note=note.strip())
    if made.order is None:
        made.order = order
        _note_down(made, by=by, now=now)
    made.note = note.strip()
    _carry_out(made, right, chosen, by=by, now=now)


def _lock_open(made: Withdrawal, order_id: int) -> Order:
    session.refresh(made, with_for_update={"of": Withdrawal})
    if made.state != "received":
        raise Refused(_("Somebody else has dealt with this already. Nothing was changed."))
    if made.order_id not in (None, order_id):
        made.order_id = None
        session.flush()
    return lock(order_id)


def _bought(right: Right) -> dict[int, int]:
    """Pieces of each line that are in no return."""
    return {one.line.id: one.unclaimed for one in right.items if one.unclaimed}


def answer(made: Withdrawal, *, note: str, by: Staff, now: datetime) -> None:
    """Write to whoever stated it why nothing follows: it is about no order of ours, or came too late."""
    needs_words(note)
    session.refresh(made, with_for_update={"of": Withdrawal})
    if made.state != "received":
        raise Refused(_("Somebody else has dealt with this already. Nothing was changed."))
    move(made, "state", "answer", settled_at=now, settled_by_id=by.id, note=note.strip())
    _write("withdrawal-answer", made, now, note=made.note)


def page_of(settled: bool, at: str) -> paging.Page[Withdrawal]:
    """One page of statements: what waits longest first, what is done last first."""
    waits = Withdrawal.state == "received"
    found = select(Withdrawal).where(~waits if settled else waits)
    return paging.page_of(found, Withdrawal.id, at=at, last_first=settled)
