"""What may be done with a return, one verb per function. What depends on other rows too locks the order first."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from portal.db import move, session
from portal.jobs import announce
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.lib.tokens import reference
from portal.orders.timeline import record, words
from portal.refunds.models import Refund
from portal.returns import oddities, rules, settlement
from portal.returns.choices import as_chosen
from portal.returns.exchanges import hold, let_go, send_exchanges
from portal.returns.fees import Fee, fees_for, rows_of
from portal.returns.going_back import send_back_rest
from portal.returns.goods import Facts, read
from portal.returns.letters import write as _write
from portal.returns.locks import lock as lock  # noqa: PLC0414
from portal.returns.models import Return, ReturnFee, ReturnLine, whole
from portal.returns.overrides import check_may_overrule, overrule
from portal.returns.paying import propose, propose_by_itself
from portal.returns.policy import Policy, current_policy, policy_of
from portal.returns.policy_facts import read_under
from portal.returns.rules import Wish
from portal.returns.shown import keep_pictures, with_pictures
from portal.staff.models import Actor, Staff

RMA_LENGTH = 8

words(
    "return.requested",
    staff=_l("Return %(rma)s asked for (pieces: %(pieces)s)"),
    customer=_l("You asked to send something back: return %(rma)s"),
)
words("return.approved", staff=_l("Return %(rma)s approved"), customer=_l("Return %(rma)s accepted"))
words(
    "return.kept",
    staff=_l("Return %(rma)s: the customer keeps it, %(amount)s proposed"),
    customer=_l("Return %(rma)s: you keep it, and get %(amount)s back"),
)
words("return.kept_and_sent", staff=_l("Return %(rma)s was to stay with the customer and is here as return %(other)s"))
words("return.declined", staff=_l("Return %(rma)s declined: %(note)s"), customer=_l("Return %(rma)s not accepted"))
words(
    "return.cancelled",
    staff=_l("Return %(rma)s called off by the customer"),
    customer=_l("You called off return %(rma)s"),
)
words("return.called_off", staff=_l("Return %(rma)s called off: %(note)s"), customer=_l("Return %(rma)s called off"))
words("return.accepted_anyway", staff=_l("Return %(rma)s accepted after all"), customer=_l("Return %(rma)s accepted"))
words("return.unasked", staff=_l("Return %(rma)s: goods came that nobody had announced"))
words("return.received", staff=_l("Return %(rma)s is here"), customer=_l("Return %(rma)s has arrived"))
words(
    "return.closed",
    staff=_l("Return %(rma)s closed without a refund of ours: %(note)s"),
    customer=_l("Return %(rma)s closed"),
)


def request_return(
    order_id: int, wishes: Sequence[Wish], *, key: str, by: Actor, now: datetime, policy: Policy | None = None,
    because: str = "",
) -> Return:  # fmt: skip
    """Ask to send something back. The same form sent again (the same `key`) is the same return.

    `policy` is the one that the customer saw, else the one that holds. With `because` a person of the shop decides
    against its rules; what was bought, what arrived and the law are no rules of the shop, and nobody overrules them.

    What the customer keeps for part of the money is a return of its own beside what comes, which is the one answered.
    When all rules say yes it is accepted at once, where the policy says so.
    """
    order = lock(order_id)
    if earlier := made_by(order_id, key):
        return earlier
    person = check_may_overrule(by, because) if because else None
    facts, wishes = read_under(policy or current_policy(), order, now=now), with_pictures(order_id, key, wishes)
    said, fees = rules.insist(facts, wishes, overriding=person is not None), fees_for(facts, wishes)
    come, stay = ([wish for wish in wishes if (wish.choice == "keep") is kept] for kept in (False, True))
    made = [
        _open(facts, part, fees, form=key, key=key if number == 0 else f"{key}:keep", by=by, now=now)
        for number, part in enumerate(part for part in (come, stay) if part)
    ]
    for ret in made:
        if person:
            overrule(ret, [one for one in said if one.answer is rules.Answer.no], note=because, by=person, now=now)
        if facts.policy.accepts_itself and not said:
            _accept(ret, by="system", now=now)
        else:
            _write("return-requested", ret, now, stays=ret.stays)
    announce("return.changed", order_id=order_id)
    return made[0]


def _open(
    facts: Facts, wishes: Sequence[Wish], fees: Sequence[Fee], *, form: str, key: str, by: Actor, now: datetime
) -> Return:
    """One return of what the form asked for; its pictures came under the key of the `form`."""
    order, stays = facts.order, wishes[0].choice == "keep"
    ret = Return(
        rma=reference(RMA_LENGTH).upper(), order_id=order.id, order=order, form_key=key, requested_at=now,
        policy_id=facts.policy.version or None, lines=[_line(wish, facts, fees) for wish in wishes],
        keep_share=facts.policy.keep_share if stays else None,
    )  # fmt: skip
    session.add(ret)
    session.flush()
    keep_pictures(ret, form, wishes)
    record(order.id, "return.requested", by=by, now=now, rma=ret.rma, pieces=ret.pieces)
    hold(ret, now=now)
    return ret


def _line(wish: Wish, facts: Facts, fees: Sequence[Fee]) -> ReturnLine:
    about = {"quantity": wish.quantity, "reason": wish.reason, "words": wish.words, "condition": wish.condition}
    goods = facts.of(wish.line_id)
    others = facts.variants.get(goods.line.sku, ()) if goods and wish.choice == "exchange" else ()
    told = next((other.told for other in others if other.sku == wish.variant), "")
    chosen = {"choice": wish.choice, "variant_sku": wish.variant, "variant": told}
    return ReturnLine(order_line_id=wish.line_id, fees=rows_of(wish.line_id, fees), **about, **chosen)


def made_by(order_id: int, key: str) -> Return | None:
    """The return that this form made before."""
    return session.scalar(select(Return).where(Return.order_id == order_id, Return.form_key == key))


def cancel_return(ret: Return, *, now: datetime) -> None:
    """The customer calls it off while nothing has arrived: the pieces are free for another return."""
    _call_off(ret, now)
    record(ret.order_id, "return.cancelled", by="customer", now=now, rma=ret.rma)


def _call_off(ret: Return, now: datetime, **also: Any) -> None:
    lock_whole(ret)
    if not ret.cancellable:
        raise Refused(_("This return can't be called off any more. Nothing was changed."))
    move(ret, "decision", "cancel", decided_at=now, **also)
    let_go(ret, now=now)
    if ret.goods != "not_expected":
        move(ret, "goods", "call_off")
    announce("return.ended", return_id=ret.id)
    announce("return.changed", order_id=ret.order_id)


def lock_whole(ret: Return) -> None:
    lock(ret.order_id)
    session.scalars(whole(Return.id == ret.id)).one()


def call_off_return(ret: Return, *, note: str, by: Staff, now: datetime) -> None:
    """We no longer wait for it, and tell the customer why."""
    needs_words(note)
    _call_off(ret, now, decided_by_id=by.id, decision_note=note)
    record(ret.order_id, "return.called_off", by=by, now=now, rma=ret.rma, note=note)
    _write("return-cancelled", ret, now, note=note)


def needs_words(note: str) -> None:
    if not note.strip():
        raise Refused(_("Say why; the customer reads it."))


def approve_return(ret: Return, *, by: Staff, now: datetime) -> None:
    """Say yes: the goods are awaited, and the customer is told where to send them and until when."""
    _refuse_claims(ret)
    lock(ret.order_id)
    _accept(ret, by=by, now=now)


def _accept(ret: Return, *, by: Actor, now: datetime) -> None:
    decided = {"decided_at": now, "decided_by_id": by.id if isinstance(by, Staff) else None}
    if ret.stays:
        move(ret, "decision", "approve", **decided)
        record(ret.order_id, "return.approved", by=by, now=now, rma=ret.rma)
        pay_for_what_stays(ret, by=by, now=now)
        return
    send_by = shop_day(now + timedelta(days=current_app.config["SETTINGS"].return_send_days))
    move(ret, "decision", "approve", **decided, send_back_by=send_by)
    record(ret.order_id, "return.approved", by=by, now=now, rma=ret.rma)
    if policy_of(ret.policy_id).sends_at_once:
        send_exchanges(ret, {row.id: row.quantity for row in ret.lines}, by=by, now=now)
    if ret.goods == "not_expected":
        move(ret, "goods", "await")
        announce("return.awaited", return_id=ret.id)
        _write("return-approved", ret, now)


def pay_for_what_stays(ret: Return, *, by: Actor, now: datetime) -> None:
    """The customer keeps it: nothing is awaited, and the money is proposed at once. When none is left it ends here."""
    settled = propose_by_itself(ret, by=by, now=now)
    record(ret.order_id, "return.kept", by=by, now=now, rma=ret.rma, amount=settled.total)
    if not settled.total:
        ret.closed_at, ret.closed_as, ret.closing_note = now, "nothing_due", _("Its money was given back before.")
    announce("return.changed", order_id=ret.order_id)
    _write("return-kept", ret, now, amount=settled.total.format(ret.order.locale) if settled.total else "")


def _refuse_claims(ret: Return) -> None:
    if ret.kind == "claim":
        raise Refused(_("This is a claim. Decide it on its own page."))


def decline_return(ret: Return, *, note: str, by: Staff, now: datetime) -> None:
    """Say no, with a reason that the customer reads."""
    needs_words(note)
    _refuse_claims(ret)
    move(ret, "decision", "decline", decided_at=now, decided_by_id=by.id, decision_note=note)
    let_go(ret, now=now)
    record(ret.order_id, "return.declined", by=by, now=now, rma=ret.rma, note=note)
    announce("return.changed", order_id=ret.order_id)
    _write("return-declined", ret, now, note=note)


def accept_anyway(ret: Return, *, by: Staff, now: datetime) -> None:
    """The goods of a return that was declined or called off are here, and we take them."""
    if ret.goods != "received":
        raise Refused(_("Nothing has arrived of this return."))
    move(ret, "decision", "accept_anyway", decided_at=now, decided_by_id=by.id)
    record(ret.order_id, "return.accepted_anyway", by=by, now=now, rma=ret.rma)
    oddities.drop(ret.id, ["unwanted"], by=by, now=now)
    announce("return.changed", order_id=ret.order_id)


def receive_return(ret: Return, *, by: Staff, now: datetime) -> Return:
    """It is here, announced or not: the customer is told, and the bench looks at it. What was to stay is a new one."""
    if ret.stays and ret.decision == "approved":
        ret = _sent_all_the_same(ret, by=by, now=now)
    for row in ret.lines:
        row.choice = "money" if row.choice == "keep" else row.choice
    move(ret, "goods", "receive", received_at=now, received_by_id=by.id)
    record(ret.order_id, "return.received", by=by, now=now, rma=ret.rma)
    _write("return-received", ret, now)
    if ret.decision in ("declined", "cancelled"):
        oddities.find("unwanted", ret, by=by, now=now)
    return ret


def _sent_all_the_same(ret: Return, *, by: Staff, now: datetime) -> Return:
    """What the customer was to keep is a return of its own, and a person decides: part of its money was given back."""
    lock_whole(ret)
    lines = list(_less_what_was_given(ret, now))
    if not lines:
        raise Refused(_("These goods are in another return of the order meanwhile. Receive that one."))
    other = Return(
        rma=reference(RMA_LENGTH).upper(), order_id=ret.order_id, order=ret.order, requested_at=now,
        policy_id=ret.policy_id, lines=lines,
    )  # fmt: skip
    session.add(other)
    session.flush()
    record(ret.order_id, "return.kept_and_sent", by=by, now=now, rma=ret.rma, other=other.rma)
    return other


def _less_what_was_given(ret: Return, now: datetime) -> Iterator[ReturnLine]:
    """The same lines, as far as no other return has their pieces; what was given for keeping them is a fee, so far as
    the lines' own money does not tell.
    """
    bare, held = (read(ret.order, now=now, besides=besides) for besides in (ret.id, None))
    given = settlement.given_for(ret)
    for row in ret.lines:
        goods = held.of(row.order_line_id)
        pieces = min(row.quantity, goods.there) if goods else 0
        _pieces, fair = settlement.worth_of(row, pieces, bare)
        _pieces, left = settlement.worth_of(row, pieces, held)
        too_much = left.amount - max(0, fair.amount - given[row.order_line_id].amount)
        fees = [ReturnFee(kind="kept", amount=too_much)] if too_much > 0 else []
        if pieces:
            yield ReturnLine(order_line_id=row.order_line_id, quantity=pieces, reason=row.reason, fees=fees)


def take_unasked(order_id: int, *, by: Staff, now: datetime) -> Return:
    """Goods of an order are here and nobody had asked: a return of nothing announced, to which the bench adds what it
    finds. Raises Refused while a return of the order is open, to which it may belong, and when nothing was sent.
    """
    order = lock(order_id)
    waits = (Return.decision.in_(("requested", "approved")), Return.goods != "received", Return.closed_at.is_(None))
    if rma := session.scalar(select(Return.rma).where(Return.order_id == order_id, *waits).limit(1)):
        raise Refused(_("Return %(rma)s of this order is not here yet. Type its number, if this is it.", rma=rma))
    if not any(goods.arrived + goods.unsure for goods in read(order, now=now).goods):
        raise Refused(_("Nothing of this order has reached the customer."))
    ret = Return(
        rma=reference(RMA_LENGTH).upper(), order_id=order_id, requested_at=now, lines=[],
        policy_id=current_policy().version or None,
    )  # fmt: skip
    session.add(ret)
    session.flush()
    move(ret, "decision", "approve", decided_at=now, decided_by_id=by.id)
    record(order_id, "return.unasked", by=by, now=now, rma=ret.rma)
    receive_return(ret, by=by, now=now)
    announce("return.changed", order_id=order_id)
    return ret


def propose_refund(ret: Return, shown: Money, *, by: Staff, now: datetime) -> Refund:
    """Ask finance for the money. `shown` is what the page said: when it is no longer true, nothing happens."""
    lock_whole(ret)
    _refuse_unless_ready(ret)
    settled = settlement.work_out(ret, read(ret.order, now=now, besides=ret.id))
    if settled.total != shown:
        raise Refused(_("The amount has changed while you looked at it. Look again."))
    _finish_count(ret, by, now)
    refund = propose(ret, settled.parts(), by=by, now=now)
    let_go(ret, now=now)
    return as_chosen(ret, refund, by=by, now=now)


def _finish_count(ret: Return, by: Staff, now: datetime) -> None:
    """The count as it is decides what was odd about it, and what we do not keep leaves again."""
    oddities.drop(ret.id, oddities.COUNTED, by=by, now=now)
    send_back_rest(ret, by=by, now=now)


def _refuse_unless_ready(ret: Return) -> None:
    if ret.decision != "approved":
        raise Refused(_("Nobody has accepted this return. Decide first."))
    if not ret.settleable:
        raise Refused(_("Nobody has looked at the goods yet. Inspect them first."))
    if ret.closed_at or ret.money:
        raise Refused(_("This return is settled. Nothing was changed."))


def close_return(ret: Return, *, note: str, by: Staff, now: datetime) -> None:
    """End it without a refund of ours: nothing is due, or the sales channel pays. The customer is told why."""
    needs_words(note)
    lock_whole(ret)
    _refuse_unless_ready(ret)
    if (ending := settlement.ending_of(ret, read(ret.order, now=now, besides=ret.id))) is None:
        raise Refused(_("Money is due for this return. Propose it instead."))
    _close(ret, ending, note, by=by, now=now)


def close_exchange(ret: Return, *, by: Staff, now: datetime) -> None:
    """End a return by itself of which all is here, nothing is odd, and every piece was exchanged."""
    came = [row for row in ret.lines if row.quantity]
    exchanged = bool(came) and all(row.choice == "exchange" and row.sent_instead == row.quantity for row in came)
    if not exchanged or ret.decision != "approved" or ret.money or ret.closed_at or oddities.of_return(ret.id):
        return
    if settlement.ending_of(ret, read(ret.order, now=now, besides=ret.id)) == "nothing_due":
        _close(ret, "nothing_due", "", by=by, now=now)


def _close(ret: Return, ending: str, note: str, *, by: Staff, now: datetime) -> None:
    """Without a note everything was exchanged."""
    _finish_count(ret, by, now)
    ret.closed_at, ret.closed_as, ret.closing_note = now, ending, note
    record(ret.order_id, "return.closed", by=by, now=now, rma=ret.rma, note=note or _("exchanged"))
    _write("return-closed", ret, now, note=note, ending=ending)
