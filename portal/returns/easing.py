"""A person takes less than the policy or the bench said: fees and loss of value, with their name and reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.db import session
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.timeline import named, names, record, words
from portal.returns.actions import lock_whole
from portal.returns.fees import KINDS
from portal.returns.models import Inspection, Return, ReturnFee
from portal.returns.overrides import ReturnOverride, check_may_overrule
from portal.returns.rules import spoken
from portal.staff.models import Staff

LOSS = "loss"
TAKEN = {**KINDS, LOSS: _l("Loss of value")}

words(
    "return.eased",
    staff=_l("Return %(rma)s: %(what)s is %(amount)s, not %(before)s: %(note)s"),
    customer=_l("Return %(rma)s: we take %(amount)s, not %(before)s"),
)
names({f"taken:{kind}": told for kind, told in TAKEN.items()})


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that is taken from a line's money; `key` tells it from all others of the return."""

    key: str
    kind: str
    title: str
    money: Money
    row: ReturnFee | Inspection

    @property
    def told(self) -> str:
        return _("%(title)s: %(what)s", what=TAKEN[self.kind], title=self.title)


def taken_from(ret: Return) -> list[Taken]:
    """All fees and deductions, in the order of the lines. What was given before for keeping the goods is none."""
    return list(_taken(ret))


def _taken(ret: Return) -> Iterator[Taken]:
    currency = ret.order.currency
    for line in ret.lines:
        for fee in line.fees:
            if fee.kind != "kept":
                yield Taken(f"fee_{fee.id}", fee.kind, line.told, Money(fee.amount, currency), fee)
        for found in line.inspections:
            if found.deduction:
                yield Taken(f"loss_{found.id}", LOSS, line.told, Money(found.deduction, currency), found)


def ease(ret: Return, amounts: Mapping[str, int], *, note: str, by: Staff, now: datetime) -> None:
    """Take only so much, in minor units by key; 0 takes nothing. Raises Refused for more than was shown to the customer
    or found at the bench, when nothing changes, without a reason, and once money was proposed.
    """
    person = check_may_overrule(by, note)
    lock_whole(ret)
    if ret.money or ret.closed_at or ret.decision not in ("requested", "approved"):
        raise Refused(_("This return is settled. Nothing was changed."))
    changed = [(one, Money(amounts[one.key], one.money.currency)) for one in taken_from(ret) if one.key in amounts]
    changed = [(one, less) for one, less in changed if less != one.money]
    if not changed:
        raise Refused(_("Nothing would change. Write a smaller amount."))
    for one, less in changed:
        if not 0 <= less.amount < one.money.amount:
            raise Refused(_("%(title)s: no more than %(most)s.", title=one.told, most=spoken(one.money)))
        _set(one, less)
        said = _("%(what)s: %(before)s, now %(amount)s", what=one.told, before=spoken(one.money), amount=spoken(less))
        about = {"return_id": ret.id, "rule": f"taken:{one.kind}", "said": said}
        session.add(ReturnOverride(**about, note=note.strip(), by_id=person.id, at=now))
        told = {"what": named(f"taken:{one.kind}"), "amount": less, "before": one.money, "note": note.strip()}
        record(ret.order_id, "return.eased", by=by, now=now, rma=ret.rma, **told)
    session.flush()


def _set(one: Taken, less: Money) -> None:
    if isinstance(one.row, Inspection):
        one.row.deduction = less.amount
    elif less:
        one.row.amount = less.amount
    else:
        one.row.return_line.fees.remove(one.row)
