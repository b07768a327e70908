"""What may be done with a claim, one verb per function: made, asked about, met, declined."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from portal.db import move, session
from portal.fulfilment import watching
from portal.jobs import announce
from portal.lib import days
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders.letters import write
from portal.orders.models import Order
from portal.orders.timeline import named, record, words
from portal.pictures.actions import attach
from portal.refunds.rules import RefundPart
from portal.returns import claims_rules as rules
from portal.returns.actions import RMA_LENGTH, lock, made_by, needs_words
from portal.returns.claims_models import (
    Claim,
    ClaimMessage,
    claims_where,
    cured_before,
    open_about,
    pending,
)
from portal.returns.claims_rules import Wrong
from portal.returns.claims_terms import guarantee_until, terms_of
from portal.returns.exchanges import Substitute, send_instead
from portal.returns.goods import Facts, read
from portal.returns.models import Return, ReturnLine
from portal.returns.origins import payment_of
from portal.returns.paying import propose
from portal.returns.undelivered import find, money_for, parcels_of
from portal.staff.models import Actor, Staff

words(
    "claim.made",
    staff=_l("Claim %(rma)s: something is wrong (%(fault)s)"),
    customer=_l("You told us that something is wrong: %(rma)s"),
)
words("claim.asked", staff=_l("Claim %(rma)s: the customer was asked"), customer=_l("We asked you about %(rma)s"))
words("claim.answered", staff=_l("Claim %(rma)s: the customer answered"), customer=_l("You answered us about %(rma)s"))
words("claim.accepted", staff=_l("Claim %(rma)s accepted: %(remedy)s"), customer=_l("Your claim %(rma)s is accepted"))
words("claim.declined", staff=_l("Claim %(rma)s declined: %(note)s"), customer=_l("Claim %(rma)s not accepted"))
words("claim.money", staff=_l("Claim %(rma)s: %(amount)s proposed"))


def open_claim(order_id: int, wrong: Wrong, *, key: str, by: Actor, now: datetime) -> Return:
    """Say that something is wrong with goods that arrived. The same form again (the same `key`) is the same claim."""
    order = lock(order_id)
    if earlier := made_by(order_id, key):
        return earlier
    facts, terms = read(order, now=now), terms_of(order.country)
    until = guarantee_until(facts.delivered_at, terms.guarantee_months)
    rules.insist(facts, wrong, pending(order_id), until)
    return _open(order, wrong, None, key=key, by=by, now=now)


def open_search(order_id: int, parcel_id: int, wish: str, said: str, *, key: str, by: Actor, now: datetime) -> Return:
    """Say that a parcel never arrived. Raises Refused while it is still under way in good order."""
    order = lock(order_id)
    if earlier := made_by(order_id, key):
        return earlier
    patience = terms_of(order.country).patience_days
    missed = find(parcels_of(order, patience=patience, now=now, today=shop_day(now)), parcel_id)
    rules.insist_missing(missed, wish, open_about(parcel_id))
    pieces = {packed.order_line_id: packed.quantity for packed in missed.parcel.lines} if missed else {}
    return _open(order, Wrong(pieces, "never_arrived", wish, said), parcel_id, key=key, by=by, now=now)


def _open(order: Order, wrong: Wrong, parcel_id: int | None, *, key: str, by: Actor, now: datetime) -> Return:
    lines = [
        ReturnLine(order_line_id=line_id, quantity=pieces, reason=wrong.fault, words=wrong.words.strip())
        for line_id, pieces in wrong.pieces.items()
    ]
    ret = Return(
        rma=reference(RMA_LENGTH).upper(), order_id=order.id, order=order, kind="claim", form_key=key,
        requested_at=now, lines=lines,
    )  # fmt: skip
    claim = Claim(ret=ret, fault=wrong.fault, wish=wrong.wish, parcel_id=parcel_id)
    session.add_all([ret, claim])
    session.flush()
    attach(order.id, key, f"return:{ret.id}")
    record(order.id, "claim.made", by=by, now=now, rma=ret.rma, fault=named(f"fault:{wrong.fault}"))
    _write("claim-received", claim, now)
    return ret


def ask_customer(claim: Claim, question: str, *, by: Staff, now: datetime) -> None:
    """Ask for more: pictures, the number on the box, what happened. The customer gets a letter and a page to answer."""
    needs_words(question)
    _lock_undecided(claim)
    message = _say(claim, question, by, None, now)
    record(claim.ret.order_id, "claim.asked", by=by, now=now, rma=claim.ret.rma)
    _write("claim-question", claim, now, once=f"claim-question:{message.id}", question=message.words)


def answer(claim: Claim, said: str, *, key: str, now: datetime) -> None:
    """The customer writes back, with pictures or without. The same form again is the same answer."""
    lock(claim.ret.order_id)
    if session.scalar(select(ClaimMessage.id).where(ClaimMessage.form_key == key)):
        return
    _lock_undecided(claim)
    message = _say(claim, said, None, key, now)
    pictures = attach(claim.ret.order_id, key, f"claim-message:{message.id}")
    if not (said.strip() or pictures):
        raise Refused(_("Write something, or choose a picture."))
    record(claim.ret.order_id, "claim.answered", by="customer", now=now, rma=claim.ret.rma)


def _lock_undecided(claim: Claim) -> None:
    lock(claim.ret.order_id)
    session.scalars(claims_where(Claim.id == claim.id)).one()
    if claim.ret.decision != "requested":
        raise Refused(_("This claim is decided. Nothing was changed."))


def _say(claim: Claim, said: str, by: Staff | None, key: str | None, now: datetime) -> ClaimMessage:
    message = ClaimMessage(staff_id=by.id if by else None, at=now, words=said.strip(), form_key=key)
    claim.messages.append(message)
    session.flush()
    return message


@dataclass(frozen=True, slots=True)
class Decision:
    """How a claim is met; `amounts` are minor units by line of the return, for a part of the money."""

    remedy: str
    goods_back: bool = False
    note: str = ""
    amounts: Mapping[int, int] = field(default_factory=dict)


def accept_claim(claim: Claim, decision: Decision, *, by: Staff, now: datetime) -> None:
    """Say yes, and do what follows from it at once: goods are awaited or sent, money is proposed."""
    _lock_undecided(claim)
    ret, facts = claim.ret, _facts(claim, now)
    rules.insist_on_remedy(claim, decision.remedy, decision.note, cured_before(claim))
    rules.insist_on_pieces(claim, facts)
    claim.remedy = decision.remedy
    claim.goods_back = rules.must_come_back(claim, decision.remedy, decision.goods_back)
    decided = {"decided_at": now, "decided_by_id": by.id, "decision_note": decision.note.strip()}
    move(ret, "decision", "approve", **decided, send_back_by=_send_by(now) if claim.goods_back else None)
    record(ret.order_id, "claim.accepted", by=by, now=now, rma=ret.rma, remedy=named(f"remedy:{decision.remedy}"))
    if claim.goods_back:
        move(ret, "goods", "await")
        announce("return.awaited", return_id=ret.id)
    _write("claim-accepted", claim, now, remedy=claim.remedy, goods_back=claim.goods_back, note=ret.decision_note)
    _carry_out(claim, decision.amounts, facts, by=by, now=now)


def _facts(claim: Claim, now: datetime) -> Facts:
    return read(claim.ret.order, now=now, besides=claim.return_id)


def _send_by(now: datetime) -> date:
    return shop_day(now + timedelta(days=current_app.config["SETTINGS"].return_send_days))


def _carry_out(claim: Claim, amounts: Mapping[int, int], facts: Facts, *, by: Staff, now: datetime) -> None:
    """What needs no goods first. What does, waits for the bench."""
    if claim.remedy == "send_again":
        _send_again(claim, by=by, now=now)
    elif claim.remedy == "replacement" and not claim.goods_back:
        send_replacement(claim, by=by, now=now)
    elif claim.remedy in ("part_money", "keep_money", "money") and not claim.goods_back:
        _pay(claim, amounts, facts, by=by, now=now)


def _send_again(claim: Claim, *, by: Staff, now: datetime) -> None:
    """The lost parcel counts no more, and the same goods go out in another one of the same order."""
    parcel = claim.parcel
    if parcel is None:
        raise Refused(_("Choose how the claim is met."))
    _count_as_lost(claim, by, now)
    watching.send_again(parcel, goods_are_fine=False, by=by, now=now)
    _close(claim.ret, "nothing_due", "", now)


def _count_as_lost(claim: Claim, by: Staff, now: datetime) -> None:
    if claim.parcel is not None and not watching.may_end(claim.parcel):
        watching.count_as_lost(claim.parcel, claim.ret.rma, by=by, now=now)


def send_replacement(claim: Claim, *, by: Staff, now: datetime) -> Order:
    """The same goods once more, as an order with nothing to pay; what was repaired goes out the same way, and takes
    nothing from the shelf. Once per claim.
    """
    ret = claim.ret
    if ret.decision != "approved" or claim.remedy not in ("repair", "replacement"):
        raise Refused(_("Nothing is to be sent for this claim."))
    if claim.remedy == "repair" and not ret.inspected_at:
        raise Refused(_("Nobody has looked at the goods yet. Inspect them first."))
    goods = [_substitute(row, claim.remedy) for row in ret.lines if row.quantity]
    order = send_instead(ret, goods, key=claim.remedy, by=by, now=now)
    if not claim.goods_back and not ret.closed_at:
        _close(ret, "nothing_due", "", now)
    return order


def _substitute(row: ReturnLine, remedy: str) -> Substitute:
    if remedy == "replacement":
        return Substitute(row, row.quantity)
    variant = _("%(variant)s, repaired", variant=row.line.variant) if row.line.variant else _("repaired")
    return Substitute(row, row.quantity, title=row.line.title, variant=variant)


def _pay(claim: Claim, amounts: Mapping[int, int], facts: Facts, *, by: Staff, now: datetime) -> None:
    """Propose the money for what stays with the customer, or never came. Through a channel of which we know no payment
    a person gives it back there, as the note says.
    """
    ret, order = claim.ret, claim.ret.order
    parts = _parts(claim, amounts, facts)
    if claim.parcel is not None and claim.parcel.delivered_at is None:
        parts = money_for(claim.parcel)
        _count_as_lost(claim, by, now)
        watching.give_up(claim.parcel, goods_are_fine=False, by=by, now=now)
    if payment_of(order) is None:
        needs_words(ret.decision_note)
        _close(ret, "in_channel", ret.decision_note, now)
        return
    refund = propose(ret, parts, by=by, now=now)
    record(ret.order_id, "claim.money", by=by, now=now, rma=ret.rma, amount=refund.money)


def _parts(claim: Claim, amounts: Mapping[int, int], facts: Facts) -> list[RefundPart]:
    """Line by line: a part of the money leaves the pieces bought, all of it takes them back."""
    worth = rules.worth_of(claim, facts)
    if claim.remedy != "part_money":
        return [RefundPart(row.order_line_id, row.quantity, worth[row.id].amount) for row in claim.ret.lines]
    asked = {row.id: amounts.get(row.id, 0) for row in claim.ret.lines}
    if not any(asked.values()):
        raise Refused(_("Say how much of the money goes back."))
    for row in claim.ret.lines:
        if not 0 <= asked[row.id] <= worth[row.id].amount:
            raise Refused(_("%(title)s: no more than what it is worth.", title=row.line.title))
    note = claim.ret.decision_note
    return [RefundPart(row.order_line_id, 0, asked[row.id], note) for row in claim.ret.lines if asked[row.id]]


def pay_again(claim: Claim, amounts: Mapping[int, int], *, by: Staff, now: datetime) -> None:
    """Propose the money once more, when finance did not approve what was proposed."""
    lock(claim.ret.order_id)
    session.refresh(claim.ret, ["refunds"])
    stays = claim.remedy in ("part_money", "keep_money", "money") and not claim.goods_back
    if claim.ret.decision != "approved" or not stays or claim.ret.money or claim.ret.closed_at:
        raise Refused(_("There is no money to propose for this claim."))
    parts = money_for(claim.parcel) if claim.parcel else _parts(claim, amounts, _facts(claim, now))
    refund = propose(claim.ret, parts, by=by, now=now)
    record(claim.ret.order_id, "claim.money", by=by, now=now, rma=claim.ret.rma, amount=refund.money)


def _close(ret: Return, ending: str, note: str, now: datetime) -> None:
    ret.closed_at, ret.closed_as, ret.closing_note = now, ending, note


def decline_claim(claim: Claim, *, note: str, by: Staff, now: datetime) -> None:
    """Say no, with a reason that the customer reads."""
    needs_words(note)
    _lock_undecided(claim)
    ret = claim.ret
    move(ret, "decision", "decline", decided_at=now, decided_by_id=by.id, decision_note=note.strip())
    record(ret.order_id, "claim.declined", by=by, now=now, rma=ret.rma, note=note.strip())
    _write("claim-declined", claim, now, note=ret.decision_note)


def _write(kind: str, claim: Claim, now: datetime, once: str | None = None, **more: Any) -> None:
    ret = claim.ret
    order, told = ret.order, {"rows": [(row.told, f"× {row.quantity}") for row in ret.lines if row.quantity]}
    send_by = days.spelled(ret.send_back_by, shop_day(now), order.locale) if ret.send_back_by else ""
    write(
        kind, order, about=f"return:{ret.id}", now=now, once=once, rma=ret.rma, fault=claim.fault, send_by=send_by,
        **told, **more,
    )  # fmt: skip
