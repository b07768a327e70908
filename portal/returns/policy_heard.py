"""What the rules said of a return, for people at the desk who decide about it later."""

from collections.abc import Sequence

from portal.lib.days import shop_day
from portal.returns import rules
from portal.returns.goods import Facts
from portal.returns.models import Return
from portal.returns.policy import policy_of
from portal.returns.policy_facts import under
from portal.returns.rules import Said, Wish


def wishes_of(ret: Return) -> list[Wish]:
    """What was asked for. Whether its reason needed pictures was looked at then."""
    return [
        Wish(row.order_line_id, row.quantity, row.reason, row.words, condition=row.condition, pictures=1)
        for row in ret.lines
        if row.quantity
    ]


def as_asked(ret: Return, facts: Facts) -> Facts:
    """The facts, read besides the return, under the policy by which it was asked for and on that day."""
    asked_on = shop_day(ret.requested_at)
    return under(policy_of(ret.policy_id), facts, now=ret.requested_at, besides=ret.id, on=asked_on)


def verdicts(ret: Return, facts: Facts) -> list[rules.Verdict]:
    """What speaks against it, or for a second look. A withdrawal and a claim are no matter of the shop's policy."""
    if ret.kind != "return":
        return []
    # what was chosen was checked then: another variant is kept back by this very return
    said = rules.of_wishes(as_asked(ret, facts), wishes_of(ret))
    return [verdict for verdict in said if verdict.field not in ("choice", "variant")]


def heard(ret: Return, facts: Facts) -> Sequence[Said]:
    """Every rule of that policy with its answer."""
    return rules.heard(as_asked(ret, facts), wishes_of(ret)) if ret.kind == "return" else []
