"""What refunds know of customers: what tax law wants to be kept, and words that it does not."""

from typing import Any

from sqlalchemy import Select, select

from portal.db.personal import Ids, Kept
from portal.refunds.credit import CreditEntry, StoreCredit
from portal.refunds.credit_notes import CreditNote
from portal.refunds.models import MoneyAlarm, Refund, RefundAttempt, RefundLine


def _refunds(ids: Ids) -> Select[Any]:
    return select(Refund.id).where(Refund.order_id.in_(ids))


KEPT = (
    Kept(
        Refund,
        lambda ids: Refund.order_id.in_(ids),
        shown=("state", "amount", "currency", "reason", "requested_at", "settled_at", "bank_reference"),
        taken={"reason": "", "decision_note": "", "handled_note": ""},
        stays=(
            *("source", "state", "currency", "uuid", "idem_key", "params", "stripe_refund_id", "stripe_status"),
            *("failure_reason", "bank_reference", "way", "proof"),
        ),
    ),
    Kept(RefundLine, lambda ids: RefundLine.refund_id.in_(_refunds(ids)), taken={"note": ""}),
    Kept(
        RefundAttempt,
        lambda ids: RefundAttempt.refund_id.in_(_refunds(ids)),
        stays=("source", "from_state", "to_state", "request_id", "detail"),
    ),
    Kept(MoneyAlarm, lambda ids: MoneyAlarm.order_id.in_(ids), stays=("kind", "key", "detail", "note")),
    Kept(
        CreditNote,
        lambda ids: CreditNote.refund_id.in_(_refunds(ids)),
        shown=("number", "amount", "currency", "issued_at", "content"),
        stays=("currency", "locale", "content"),
    ),
    Kept(
        CreditEntry,
        lambda ids: CreditEntry.credit_id.in_(select(StoreCredit.id).where(StoreCredit.refund_id.in_(_refunds(ids)))),
        shown=("at", "kind", "amount", "balance"),
        stays=("kind", "note"),
    ),
    Kept(
        StoreCredit,
        lambda ids: StoreCredit.refund_id.in_(_refunds(ids)),
        shown=("code", "currency", "issued_at"),
        stays=("currency", "code"),
    ),
)
"""Credit that was given can still be spent by who has its code; tax law wants credit notes kept as written."""
