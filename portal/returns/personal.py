"""What returns know of customers."""

from typing import Any

from sqlalchemy import Select, or_, select

from portal.db.personal import Ids, Kept
from portal.fulfilment.models import BackParcel
from portal.returns.claims_models import Claim, ClaimMessage
from portal.returns.models import Inspection, Return, ReturnFee, ReturnLine, SentInstead
from portal.returns.oddities import Oddity
from portal.returns.overrides import ReturnOverride
from portal.returns.own_labels import OwnLabel
from portal.returns.withdrawals import Withdrawal


def _returns(ids: Ids) -> Select[Any]:
    return select(Return.id).where(Return.order_id.in_(ids))


def _lines(ids: Ids) -> Select[Any]:
    return select(ReturnLine.id).where(ReturnLine.return_id.in_(_returns(ids)))


KEPT = (
    Kept(
        OwnLabel,
        lambda ids: OwnLabel.back_parcel_id.in_(select(BackParcel.id).where(BackParcel.order_id.in_(ids))),
        shown=("words",),
        gone=True,
    ),
    Kept(
        ClaimMessage,
        lambda ids: ClaimMessage.claim_id.in_(select(Claim.id).where(Claim.return_id.in_(_returns(ids)))),
        shown=("at", "words"),
        taken={"words": "–"},
        stays=("form_key",),
    ),
    Kept(
        Claim,
        lambda ids: Claim.return_id.in_(_returns(ids)),
        shown=("fault", "wish", "remedy", "goods_back", "postage", "postage_note"),
        taken={"postage_note": ""},
        stays=("fault", "wish", "remedy"),
    ),
    Kept(
        Return,
        lambda ids: Return.order_id.in_(ids),
        shown=("rma", "kind", "decision", "goods", "requested_at", "decided_at", "decision_note", "received_at"),
        taken={"decision_note": "", "closing_note": ""},
        stays=("rma", "kind", "decision", "goods", "form_key", "closed_as"),
    ),
    Kept(
        ReturnLine,
        lambda ids: ReturnLine.return_id.in_(_returns(ids)),
        shown=("quantity", "reason", "words"),
        taken={"words": ""},
        stays=("reason", "condition", "choice", "variant_sku", "variant"),
    ),
    Kept(ReturnFee, lambda ids: ReturnFee.return_line_id.in_(_lines(ids)), stays=("kind",)),
    Kept(
        ReturnOverride,
        lambda ids: ReturnOverride.return_id.in_(_returns(ids)),
        shown=("at", "said"),
        taken={"note": ""},
        stays=("rule", "said"),
    ),
    Kept(SentInstead, lambda ids: SentInstead.return_line_id.in_(_lines(ids))),
    Kept(
        Withdrawal,
        lambda ids: Withdrawal.order_id.in_(ids),
        shown=("reference", "name", "contract", "email", "goods", "stated_at", "state", "note"),
        taken={"name": "", "email": "", "note": ""},
        stays=("reference", "form_key", "contract", "goods", "locale", "state"),
    ),
    Kept(
        Oddity,
        lambda ids: or_(Oddity.return_id.in_(_returns(ids)), Oddity.order_id.in_(ids)),
        taken={"detail": "", "note": ""},
        stays=("kind", "state", "choice"),
    ),
    Kept(
        Inspection,
        lambda ids: Inspection.return_line_id.in_(_lines(ids)),
        shown=("counted", "grade", "deduction", "note", "inspected_at"),
        taken={"note": ""},
        stays=("grade", "disposition"),
    ),
)
