"""Scan forms: one paper by which a courier takes over all parcels of a list, where it makes such papers. A row before
the call; what may have been made is looked for before it is asked for again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.adapters.couriers.selling import Manifest as Form
from portal.adapters.couriers.selling import Paper
from portal.db import Base, move, session
from portal.fulfilment.models import LabelPurchase
from portal.jobs import announce
from portal.lib.errors import Refused

AGAIN = timedelta(minutes=2)
MOST_TRIES = 30
"""An hour; then a person asks again, or hands the parcels over with our own list."""


class Manifest(Base):
    """The scan form for the parcels of one list whose labels were bought from one carrier."""

    __tablename__ = "manifests"
    __table_args__ = (
        UniqueConstraint("closing_id", "carrier"),
        CheckConstraint("state IN ('wanted', 'sent', 'made', 'failed')", name="state"),
        CheckConstraint("state <> 'made' OR (paper IS NOT NULL AND remote_id <> '')", name="made"),
        Index("ix_manifests_due", "next_look_at", postgresql_where="next_look_at IS NOT NULL"),
    )
    MOVES = {
        "state": {
            "claim": (("wanted", "sent"), "sent"),
            "make": (("sent",), "made"),
            "fail": (("sent",), "failed"),
            "renew": (("failed",), "wanted"),
        }
    }
    closing_id: Mapped[int] = mapped_column(ForeignKey("closings.id"))
    carrier: Mapped[str]
    state: Mapped[str] = mapped_column(default="wanted")
    remote_id: Mapped[str] = mapped_column(default="")
    tries: Mapped[int] = mapped_column(default=0)
    trouble: Mapped[str] = mapped_column(default="")
    next_look_at: Mapped[datetime | None]
    paper: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    paper_kind: Mapped[str] = mapped_column(default="")


def want(closing_id: int, parcel_ids: Sequence[int], *, now: datetime) -> None:
    """One form per carrier whose labels were bought for these parcels; none without a key."""
    if not current_app.config["SETTINGS"].easypost_api_key:
        return
    for carrier in sorted({label.carrier for label in _labels(parcel_ids)}):
        form = Manifest(closing_id=closing_id, carrier=carrier, next_look_at=now + AGAIN)
        session.add(form)
        session.flush()
        announce("manifest.wanted", manifest_id=form.id)


def _labels(parcel_ids: Iterable[int]) -> Sequence[LabelPurchase]:
    bought = (LabelPurchase.parcel_id.in_(parcel_ids), LabelPurchase.state == "bought")
    return session.scalars(select(LabelPurchase).where(*bought).order_by(LabelPurchase.id)).all()


@dataclass(frozen=True, slots=True)
class Due:
    """A form as the worker carries it out of the transaction; `looked_for`: it may have been made."""

    id: int
    shipments: tuple[str, ...]
    numbers: tuple[str, ...]
    remote_id: str
    looked_for: bool


def begin_making(manifest_id: int, parcel_ids: Sequence[int], *, now: datetime) -> Due | None:
    """Claim it; None when it is settled, or after the last try."""
    form = session.get_one(Manifest, manifest_id, with_for_update=True)
    if form.state not in ("wanted", "sent"):
        return None
    before = form.state
    move(form, "state", "claim", tries=form.tries + 1, next_look_at=now + AGAIN)
    if form.tries > MOST_TRIES:
        move(form, "state", "fail", next_look_at=None, trouble=form.trouble or _("The courier did not answer in time."))
        return None
    labels = [label for label in _labels(parcel_ids) if label.carrier == form.carrier]
    numbers = tuple(label.tracking_number or "" for label in labels)
    return Due(form.id, tuple(one.shipment_id for one in labels), numbers, form.remote_id, before == "sent")


def closing_of(manifest_id: int) -> int:
    return session.get_one(Manifest, manifest_id).closing_id


def record_form(due: Due, form: Form, paper: Paper | None, *, now: datetime) -> None:
    """What the courier said: made, still being made, or not to be had."""
    row = session.get_one(Manifest, due.id, with_for_update=True)
    if row.state != "sent":
        return
    if form.state == "failed":
        move(row, "state", "fail", next_look_at=None, trouble=form.says[:500])
    elif paper is None:
        row.remote_id, row.trouble, row.next_look_at = form.id, "", now + AGAIN
    else:
        made = {"paper": paper.content, "paper_kind": paper.kind, "remote_id": form.id}
        move(row, "state", "make", next_look_at=None, trouble="", **made)


def record_doubt(due: Due, why: str) -> None:
    """Nobody knows whether it was made; `take_overdue` finds it again, and then it is looked for first."""
    session.get_one(Manifest, due.id, with_for_update=True).trouble = why[:500]


def record_refusal(due: Due, why: str) -> None:
    """The courier makes none."""
    row = session.get_one(Manifest, due.id, with_for_update=True)
    if row.state == "sent":
        move(row, "state", "fail", next_look_at=None, trouble=why[:500])


def ask_again(form: Manifest, *, now: datetime) -> None:
    """A person wants it tried once more. Raises Refused while it is being tried, or when it is there."""
    if form.state != "failed":
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    move(form, "state", "renew", tries=0, remote_id="", next_look_at=now + AGAIN)
    announce("manifest.wanted", manifest_id=form.id)


def of_closings(closing_ids: Sequence[int]) -> dict[int, list[Manifest]]:
    """The forms of these lists, in one statement."""
    found = select(Manifest).where(Manifest.closing_id.in_(closing_ids)).order_by(Manifest.carrier)
    forms: dict[int, list[Manifest]] = {}
    for form in session.scalars(found):
        forms.setdefault(form.closing_id, []).append(form)
    return forms


def take_overdue(now: datetime) -> list[int]:
    """Forms of which nothing was heard."""
    due = select(Manifest).where(Manifest.next_look_at <= now).with_for_update(skip_locked=True)
    found = session.scalars(due).all()
    for form in found:
        form.next_look_at = now + AGAIN
    return [form.id for form in found]
