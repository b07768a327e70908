"""What we do not keep leaves again: an order of its own with nothing to pay, packed and followed like any."""

from collections.abc import Iterable
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.lib.errors import Refused
from portal.orders.flags import tell
from portal.orders.instead import Article, order_instead
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.returns.models import Inspection, Return, ReturnLine
from portal.staff.models import Staff

words(
    "return.goods_go_back",
    staff=_l("Goods of return %(rma)s go back to the customer as order %(number)s"),
    customer=_l("What we do not keep of return %(rma)s goes back to you as order %(number)s"),
)


def send_back_rest(ret: Return, *, by: Staff, now: datetime) -> Order | None:
    """What the bench does not keep leaves again, once the count is final."""
    pieces = [(row, sum(one.counted for one in row.inspections if _goes_back(one))) for row in ret.lines]
    return goods_go_back(ret, [(row, n) for row, n in pieces if n], by=by, now=now)


def _goes_back(one: Inspection) -> bool:
    return one.disposition == "back_to_customer"


def goods_go_back(ret: Return, pieces: Iterable[tuple[ReturnLine, int]], *, by: Staff, now: datetime) -> Order | None:
    """As an order of its own with nothing to pay, packed and followed like any; from the bench and not from a shelf."""
    articles = [Article(_called(row), n, 0, variant=row.line.variant) for row, n in pieces]
    if not articles:
        return None
    try:
        order = order_instead(ret.order, articles, key=f"{ret.rma}:back", rma=ret.rma, by=by, now=now)
    except Refused:
        tell(ret.order_id, "missing_address", by=by, now=now)
        return None
    record(ret.order_id, "return.goods_go_back", by=by, now=now, rma=ret.rma, number=order.number)
    return order


def _called(row: ReturnLine) -> str:
    if any(one.grade == "wrong_item" and _goes_back(one) for one in row.inspections):
        return _("What came in place of %(title)s", title=row.line.title)
    return row.line.title
