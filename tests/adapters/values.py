"""Any JSON, and bodies with something wrong in them, for the adapters' tests."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

NASTY = [
    None, True, False, -1, 0, 2**63, 10**400, 1.5, "", " ", "\x00", "\ud800", "x" * 10_000, "é" * 300, "\u202eabc",
    "２０",
    "0.00", "-1.00", "1e400", "12.345", "NaN", "0000-00-00", "9999-12-31T23:59:59-23:59", "2026-11-20T10:00:00",
    [], {}, [[]], [{}], {"": None},
]  # fmt: skip


def any_json() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(NASTY)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
    )


@st.composite
def mutated(draw: st.DrawFn, raw: bytes) -> bytes:
    """The body with one to three of its values replaced or left out."""
    value = json.loads(raw)
    for _ in range(draw(st.integers(1, 3))):
        if places := list(_places(value)):
            holder, where = draw(st.sampled_from(places))
            _change(draw, holder, where)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _change(draw: st.DrawFn, holder: Any, where: Any) -> None:
    if where not in (holder if isinstance(holder, dict) else range(len(holder))):
        return
    if draw(st.booleans()):
        holder[where] = deepcopy(draw(st.sampled_from(NASTY) | any_json()))
    else:
        del holder[where]


def _places(value: Any) -> Any:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for where in keys:
        yield value, where
        yield from _places(value[where])
