"""Pictures that come with a return: what customers show of each line they send back, and what the bench shows."""

from collections.abc import Sequence
from dataclasses import replace

from flask import current_app
from sqlalchemy import func, select

from portal.db import session
from portal.pictures.actions import attach
from portal.pictures.models import Picture, pictures_of
from portal.returns.models import Return
from portal.returns.rules import Wish


def key_of(key: str, line_id: int) -> str:
    """Under this the pictures of one line of the order wait beside the form with that key."""
    return f"{key}.{line_id}"


def with_pictures(order_id: int, key: str, wishes: Sequence[Wish]) -> list[Wish]:
    """The same wishes, each with as many pictures as there are, whatever the form said."""
    keys = {key_of(key, wish.line_id): wish.line_id for wish in wishes}
    waiting = (Picture.order_id == order_id, Picture.about.is_(None), Picture.form_key.in_(keys))
    counted = session.execute(select(Picture.form_key, func.count()).where(*waiting).group_by(Picture.form_key))
    there = {keys[form_key]: int(many) for form_key, many in counted}
    return [replace(wish, pictures=there.get(wish.line_id, 0)) for wish in wishes]


def keep_pictures(ret: Return, key: str, wishes: Sequence[Wish]) -> None:
    """The return was asked for: what was shown of each line belongs to it."""
    came = {wish.line_id for wish in wishes if wish.pictures}
    for row in ret.lines:
        if row.order_line_id in came:
            attach(ret.order_id, key_of(key, row.order_line_id), f"return-line:{row.id}")


def shown(ret: Return) -> dict[str, list[Picture]]:
    """What the customer shows of each line, and the bench of each state: by "return-line:7" and "inspection:9"."""
    lines = [f"return-line:{row.id}" for row in ret.lines]
    return pictures_of(lines + [f"inspection:{found.id}" for row in ret.lines for found in row.inspections])


def shown_to_customer(ret: Return) -> dict[str, list[Picture]]:
    """The same for the customer: their own, and, where the shop shows them, those of what was deducted for."""
    seen = [f"return-line:{row.id}" for row in ret.lines]
    if current_app.config["SETTINGS"].show_inspection_pictures:
        seen += [f"inspection:{found.id}" for row in ret.lines for found in row.inspections if found.deduction]
    return pictures_of(seen)
