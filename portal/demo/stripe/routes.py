"""Which function answers which request, and how its parameters are read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from portal.demo.stripe.book import Book, Thing
from portal.demo.stripe.problems import Invalid, Problem

Answer = Callable[..., Thing]


@dataclass(frozen=True, slots=True)
class Route:
    """`takes` names the parameters; others are an error, as they are at Stripe."""

    method: str
    path: re.Pattern[str]
    takes: frozenset[str]
    answer: Answer


ROUTES: list[Route] = []


def route(method: str, path: str, takes: str = "") -> Callable[[Answer], Answer]:
    """`path` has {id} where an id stands; the function gets the book, the parameters, and the id."""

    def register(answer: Answer) -> Answer:
        pattern = re.compile(path.replace("{id}", r"(?P<id>[^/]+)"))
        ROUTES.append(Route(method, pattern, frozenset({*takes.split(), "expand"}), answer))
        return answer

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Raises Problem for an address that Stripe, or this part of it, does not have."""
    for known in ROUTES:
        if known.method == method and (match := known.path.fullmatch(path)):
            return known, match.groupdict()
    words = f"Unrecognized request URL ({method}: {path}). The stand-in has only what the portal uses."
    raise Problem(404, "invalid_request_error", words)


def read_form(text: str) -> Thing:
    """Stripe's form encoding: a[b]=c is a dictionary, a[0]=b and a[]=b are lists."""
    params: Thing = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = [part.rstrip("]") for part in name.split("[")]
        if not rest:
            params[first] = value
        elif rest[0].isdigit() or not rest[0]:
            params.setdefault(first, []).append(value)
        else:
            params.setdefault(first, {})[rest[0]] = value
    return params


def check_names(known: Route, params: Thing) -> None:
    for name in params.keys() - known.takes:
        raise Invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")


def whole(params: Thing, name: str, default: int | None = None) -> int | None:
    """A whole number above nothing, or the default. Raises Problem."""
    given = params.get(name)
    if given is None:
        return default
    if not str(given).lstrip("-").isdigit():
        raise Invalid(f"Invalid integer: {given}", name, "parameter_invalid_integer")
    if int(given) <= 0:
        raise Invalid("This value must be greater than or equal to 1.", name, "parameter_invalid_integer")
    return int(given)


def listed(things: list[Thing], params: Thing, url: str) -> Thing:
    """A page of things, newest first."""
    newest = [thing for thing in reversed(things) if _made_then(thing, params.get("created"))]
    size = min(100, whole(params, "limit", 10) or 10)
    ids = [thing["id"] for thing in newest]
    start = ids.index(params["starting_after"]) + 1 if params.get("starting_after") in ids else 0
    return {
        "object": "list",
        "url": url,
        "data": newest[start : start + size],
        "has_more": len(newest) > start + size,
    }


def _made_then(thing: Thing, when: Any) -> bool:
    if not isinstance(when, dict):
        return when is None or thing["created"] == int(when)
    return thing["created"] >= int(when.get("gte", 0)) and thing["created"] <= int(when.get("lte", 2**40))


@route("GET", "/v1/events", "types type created limit starting_after delivery_success")
def events(book: Book, params: Thing) -> Thing:
    wanted = params.get("types") or ([params["type"]] if "type" in params else [])
    found = [event for event in book.all("events") if not wanted or event["type"] in wanted]
    if params.get("delivery_success") == "false":
        found = [event for event in found if event["id"] in book.data["undelivered"]]
    return listed(found, params, "/v1/events")
