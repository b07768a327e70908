"""What the stand-in knows: one dictionary, in one file that is replaced as a whole after every change."""

import copy
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

API_VERSION = "2026-10-28.endive"
Thing = dict[str, Any]
EMPTY: Thing = {
    "ahead": 0.0,
    "payment_intents": {},
    "charges": {},
    "refunds": {},
    "disputes": {},
    "sessions": {},
    "session_lines": {},
    "events": {},
    "undelivered": [],
    "keys": {},
    "later": [],
}


class Book:
    """All objects by kind and id, in the order in which they were made."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, RLock()
        self.data: Thing = copy.deepcopy(EMPTY) | (json.loads(path.read_text()) if path.exists() else {})

    def all(self, kind: str) -> list[Thing]:
        return list(self.data[kind].values())

    def get(self, kind: str, id: str) -> Thing | None:
        found: Thing | None = self.data[kind].get(id)
        return found

    def the(self, kind: str, id: str) -> Thing:
        thing: Thing = self.data[kind][id]
        return thing

    @contextmanager
    def change(self) -> Iterator[None]:
        """Within this block nobody else changes anything; at its end, all of it is kept."""
        with self.lock:
            try:
                yield
            finally:
                self._keep()

    def _keep(self) -> None:
        half = self.path.with_suffix(".half")
        half.write_text(json.dumps(self.data))
        os.replace(half, self.path)

    def now(self) -> float:
        return time.time() + float(self.data["ahead"])

    def add(self, kind: str, prefix: str, **fields: Any) -> Thing:
        """A new object; Stripe's ids are opaque, and so are these."""
        fresh = f"{prefix}_{secrets.token_hex(12)}"
        thing: Thing = {"id": fresh, "object": kind.removesuffix("s"), "created": int(self.now()), **fields}
        self.data[kind][thing["id"]] = thing
        return thing

    def emit(self, type: str, thing: Thing, **before: Any) -> None:
        """Something happened: an event with the thing as it is now, to be delivered."""
        data: Thing = {"object": copy.deepcopy(thing)}
        if before:
            data["previous_attributes"] = before
        event = self.add(
            "events", "evt", type=type, api_version=API_VERSION, livemode=False, pending_webhooks=1,
            request={"id": None, "idempotency_key": None}, data=data,
        )  # fmt: skip
        self.data["undelivered"].append(event["id"])
