"""Orders from a CSV file: the good ones are taken in, the others come back with their row and what is wrong."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TextIO

from flask import current_app

from portal.adapters.channels import sheet
from portal.adapters.channels.sheet import Found
from portal.db import session
from portal.lib.errors import Refused
from portal.orders.actions import accept_order

Fate = Literal["accepted", "known", "refused"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order: the row it begins in, its number, and why it was refused if it was."""

    row: int
    number: str
    fate: Fate
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file."""

    outcomes: list[Outcome]

    def of(self, fate: Fate) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.fate == fate]


def import_orders(stream: TextIO, channel: str, *, now: datetime) -> Report:
    """Take in each order of the file; one that was here before changes only by newer facts.

    Raises BadSheet when the file as a whole can't be read, and UnicodeDecodeError when it is not in UTF-8.
    """
    zone = current_app.config["SETTINGS"].zone
    return Report([_take_in(found, now) for found in sheet.read(stream.read(), channel, zone)])


def _take_in(found: Found, now: datetime) -> Outcome:
    if found.order is None:
        return Outcome(found.place, found.number, "refused", found.mistakes)
    try:
        with session.begin_nested():
            _order, new = accept_order(found.order, by="channel", now=now)
    except Refused as refused:
        return Outcome(found.place, found.number, "refused", (refused.message,))
    return Outcome(found.place, found.number, "accepted" if new else "known")
