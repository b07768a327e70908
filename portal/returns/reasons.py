"""Why things come back: reasons in two levels, by product type. Shops word, add and retire them; none is deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.lib.errors import Refused
from portal.lib.tokens import reference

ASKED = ("off", "optional", "required")
STILL_TAKEN = timedelta(days=1)
"""So long a reason that was retired while a customer had the form open is still taken."""
STANDARD: Mapping[str, Any] = {
    "fit": _l("It does not fit"),
    "too_small": _l("It is too small"),
    "too_large": _l("It is too large"),
    "mind": _l("I do not want it any more"),
    "changed_mind": _l("I changed my mind"),
    "looks_different": _l("It looks different from what I thought"),
    "too_late": _l("It came too late"),
    "wrong": _l("Something is wrong with it"),
    "not_as_described": _l("It is not as described"),
    "wrong_item": _l("I got something else"),
    "damaged": _l("It arrived damaged"),
    "defective": _l("It does not work"),
    "else": _l("Something else"),
    "other": _l("Another reason"),
}
"""What the house calls the reasons that every shop begins with; a shop's own label goes before."""


class ReturnReason(Base):
    """A reason, or, without a `group`, a group of them. Without `types` it is for articles of every type.

    With `fault` the mistake was ours: a person looks, and no fee is taken. `labels` are the shop's own, by language.
    """

    __tablename__ = "return_reasons"
    __table_args__ = (
        CheckConstraint(f"photo IN {ASKED}", name="photo"),
        CheckConstraint(f"words IN {ASKED}", name="words"),
    )
    code: Mapped[str] = mapped_column(unique=True)
    group: Mapped[str] = mapped_column(default="")
    types: Mapped[list[str]] = mapped_column(JSONB, default=list)
    fault: Mapped[bool] = mapped_column(default=False)
    photo: Mapped[str] = mapped_column(default="off")
    words: Mapped[str] = mapped_column(default="optional")
    labels: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    place: Mapped[int] = mapped_column(default=0)
    retired_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Reason:
    """The same as plain values, kept while a request lasts."""

    code: str
    group: str
    types: tuple[str, ...]
    fault: bool
    photo: str
    words: str
    labels: Mapping[str, str]
    retired_at: datetime | None

    @property
    def label(self) -> str:
        """In the reader's language: the shop's own, else the house's, else the shop's English one."""
        own = self.labels.get(str(get_locale() or "en").partition("_")[0])
        return own or str(STANDARD.get(self.code, "")) or self.labels.get("en") or self.code

    def is_for(self, product_type: str) -> bool:
        return not self.types or product_type.casefold() in {one.casefold() for one in self.types}


def all_reasons() -> Mapping[str, Reason]:
    """All reasons and groups by code, in the shop's order; read once in a session."""
    if CACHE not in session.info:
        rows = session.scalars(select(ReturnReason).order_by(ReturnReason.place, ReturnReason.id))
        session.info[CACHE] = {row.code: _plain(row) for row in rows}
    known: Mapping[str, Reason] = session.info[CACHE]
    return known


CACHE = "return_reasons"


def _plain(row: ReturnReason) -> Reason:
    about = (row.fault, row.photo, row.words, row.labels, row.retired_at)
    return Reason(row.code, row.group, tuple(row.types), *about)


def label(code: str) -> str:
    """How the reader calls it, retired or not."""
    known = all_reasons().get(code)
    return known.label if known else str(STANDARD.get(code, code))


def find(code: str, product_type: str, today: date) -> Reason | None:
    """The reason, when it may be given for an article of this type today."""
    known = all_reasons().get(code)
    if known is None or not known.group or not known.is_for(product_type):
        return None
    return known if known.retired_at is None or today - known.retired_at.date() <= STILL_TAKEN else None


def offered(product_type: str) -> dict[str, list[tuple[str, str]]]:
    """Groups by their labels, each with the codes and labels of what can be chosen for an article of this type."""
    living = [one for one in all_reasons().values() if one.retired_at is None and one.is_for(product_type)]
    groups = {one.code: one.label for one in living if not one.group}
    found: dict[str, list[tuple[str, str]]] = {label: [] for label in groups.values()}
    for one in living:
        if one.group in groups:
            found[groups[one.group]].append((one.code, one.label))
    return {label: reasons for label, reasons in found.items() if reasons}


def may_ask_for_pictures(product_type: str) -> bool:
    """Whether a reason that can be chosen for an article of this type asks for them."""
    known = [all_reasons()[code] for named in offered(product_type).values() for code, _label in named]
    return any(reason.photo != "off" for reason in known)


def is_fault(code: str) -> bool:
    """Whether the mistake was ours."""
    known = all_reasons().get(code)
    return known is not None and known.fault


# --- at the desk ------------------------------------------------------------------------------------------------------


def rows() -> Sequence[ReturnReason]:
    return session.scalars(select(ReturnReason).order_by(ReturnReason.place, ReturnReason.id)).all()


def add_reason(group: str, labels: Mapping[str, str]) -> ReturnReason:
    """A reason of the shop's own at the end of its group, or, without one, a group. Raises Refused without a name."""
    if not labels.get("en"):
        raise Refused(_("Give it a name in English; it is shown where another language has none."))
    if group and not any(row.code == group and not row.group and row.retired_at is None for row in rows()):
        raise Refused(_("This group does not exist any more."))
    row = ReturnReason(code=f"own_{reference()}", group=group, types=[], labels=dict(labels), place=_last() + 1)
    session.add(row)
    return _changed(row)


def _last() -> int:
    return max((row.place for row in rows()), default=0)


def change_reason(
    row: ReturnReason, *, labels: Mapping[str, str], types: Sequence[str], fault: bool, photo: str, words: str
) -> ReturnReason:
    """How it is called and what it asks for from now on; returns that gave it go on showing it."""
    if photo not in ASKED or words not in ASKED:
        raise Refused(_("Choose whether it is asked for."))
    if row.code not in STANDARD and not labels.get("en"):
        raise Refused(_("Give it a name in English; it is shown where another language has none."))
    row.labels = {language: said for language, said in labels.items() if said}
    row.types, row.fault, row.photo, row.words = list(types), fault, photo, words
    return _changed(row)


def retire_reason(row: ReturnReason, *, now: datetime) -> ReturnReason:
    """Not offered any more; the last one can't go."""
    living = [other for other in rows() if other.group and other.retired_at is None and other.group != row.code]
    if not [other for other in living if other.id != row.id]:
        raise Refused(_("Customers have to be able to give at least one reason."))
    row.retired_at = row.retired_at or now
    return _changed(row)


def bring_back_reason(row: ReturnReason) -> ReturnReason:
    row.retired_at = None
    return _changed(row)


def _changed(row: ReturnReason) -> ReturnReason:
    session.flush()
    session.info.pop(CACHE, None)
    return row
