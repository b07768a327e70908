"""The desk's pages in a small and in a big shop: each list, one order, and every way to search."""

from collections.abc import Mapping, Sequence

from werkzeug.test import TestResponse

from tests.bench import history
from tests.bench.pages import one_after_the_other
from tests.bench.shop import Server

LISTS = {
    "to pick": "/desk/parcels?state=to_pick",
    "to pack": "/desk/parcels?state=to_pack",
    "to ship": "/desk/parcels?state=to_ship",
    "promise at risk": "/desk/parcels?state=at_risk",
    "stuck parcels": "/desk/parcels?state=stuck",
    "handed to you": "/desk/handoffs",
    "needs attention": "/desk/attention",
    "returns to decide": "/desk/returns?state=requested",
    "returns to inspect": "/desk/returns?state=to_inspect",
    "money to approve": "/desk/refunds?state=requested",
    "open cases": "/desk/cases",
    "letters that failed": "/desk/letters?state=failed",
    "overview": "/desk/",
}


def searches(orders: int) -> dict[str, list[str]]:
    """Ways to find an order, each for several orders from the whole history."""
    asked = [orders * part // 9 + 1 for part in range(1, 9)]
    families = [history.secret("family", number // 3, 7) for number in asked]
    return {
        "one order": [f"/desk/orders/{number}" for number in asked],
        "search by number": [f"/desk/search?q=B{1_000_000 + number}" for number in asked],
        "search by mail": [f"/desk/search?q=buyer{number}%40" for number in asked],
        "search by tracking code": [f"/desk/search?q=BENCH{number:010}" for number in asked],
        "search by name": [f"/desk/search?q={family.title()}" for family in families],
        "search by a part of a name": [f"/desk/search?q={family[2:]}" for family in families],
    }


def pages(orders: int) -> dict[str, list[str]]:
    return {**{name: [path] for name, path in LISTS.items()}, **searches(orders)}


def shows(answer: TestResponse) -> bool:
    """Whether it is the page, or the way to the one order that was found, and not the way to sign in."""
    return answer.status_code == 200 or answer.location.startswith("/desk/orders/")


def beside_each_other(
    small: tuple[Server, Mapping[str, str]], big: tuple[Server, Mapping[str, str]], times: int
) -> dict[str, Sequence[float]]:
    """Median seconds of each page in the small and in the big shop."""
    of_small, of_big = pages(small[0].orders), pages(big[0].orders)
    return {name: one_after_the_other((small, big), (of_small[name], of_big[name]), times) for name in of_small}
