"""One order's evidence, for a bank, a court or an authority: what was said, scanned, decided and paid, in one file.

Pictures are on the paper byte for byte, so that their SHA-256 can be computed again. What happened carries the seal
that was made over it soon after; `portal audit verify` proves that the chain holds.
"""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from portal.config import Settings
from portal.db import session
from portal.feedback.case_models import Case, CaseMessage
from portal.feedback.models import Answer, SurveyInvitation
from portal.fulfilment import typeset
from portal.fulfilment.labels import open_canvas
from portal.fulfilment.models import CourierEvent, Parcel
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.orders.changes import WHERE
from portal.orders.models import Order, OrderLine, TimelineEntry
from portal.orders.timeline import told
from portal.pictures.models import Picture
from portal.refunds.models import Refund, RefundAttempt
from portal.returns.models import Inspection, Return, ReturnLine
from portal.returns.withdrawals import Withdrawal
from portal.staff.models import Staff
from portal.staff.seals import Seal

Section = Sequence[Mapping[str, Any]]
TITLES: Mapping[str, Any] = {
    "order": _l("Order"),
    "goods": _l("Goods"),
    "parcels": _l("Parcels"),
    "scans": _l("What couriers told"),
    "statements": _l("Statements of withdrawal"),
    "answers": _l("What the customer answered"),
    "returns": _l("Returns"),
    "return_lines": _l("What the customer declared"),
    "inspections": _l("What we found"),
    "refunds": _l("Money back"),
    "attempts": _l("What was asked of Stripe, and what came back"),
    "letters": _l("Letters"),
    "conversation": _l("What was written"),
    "pictures": _l("Pictures"),
    "timeline": _l("What happened"),
}
AMOUNTS = frozenset({"total", "paid", "captured", "amount", "deduction"})
LEFT, TOP, BOTTOM, WIDE, SMALL = 18 * mm, 280 * mm, 18 * mm, 174 * mm, 8.5
HIGH = 90 * mm


def gathered(order: Order, locale: str) -> Mapping[str, Section]:
    """All that is kept of the order, section by section, oldest first; times in UTC, amounts in minor units."""
    return {
        "order": [_order(order)],
        **{name: _rows(found) for name, found in _statements(order.id).items()},
        "timeline": _timeline(order.id, locale),
    }


def _order(order: Order) -> Mapping[str, Any]:
    address = ", ".join(str(order.ship_to[name]) for name in WHERE if order.ship_to.get(name))
    payment = order.payment
    return {
        "number": order.number, "channel": order.channel, "placed_at": order.placed_at, "paid_at": order.paid_at,
        "total": order.total, "currency": order.currency, "customer": order.customer.name,
        "email": order.customer.email, "address": address,
        "payment": payment.payment_intent if payment else None, "captured": payment.captured if payment else None,
    }  # fmt: skip


def _statements(order_id: int) -> Mapping[str, Select[Any]]:
    """One statement per section."""
    parcels = select(Parcel.id).where(Parcel.order_id == order_id)
    returns = select(Return.id).where(Return.order_id == order_id)
    asked, approved = aliased(Staff), aliased(Staff)
    return {
        "goods": select(OrderLine.title, OrderLine.variant, OrderLine.sku, OrderLine.quantity, OrderLine.paid)
        .where(OrderLine.order_id == order_id)
        .order_by(OrderLine.id),
        "parcels": select(
            Parcel.ref, Parcel.courier, Parcel.tracking_number, Parcel.weight_grams, Parcel.packed_at,
            Parcel.handed_over_at, Parcel.delivered_at,
        ).where(Parcel.order_id == order_id).order_by(Parcel.id),
        "scans": select(CourierEvent.at, CourierEvent.status, CourierEvent.place, CourierEvent.message)
        .where(CourierEvent.parcel_id.in_(parcels))
        .order_by(CourierEvent.at, CourierEvent.id),
        "statements": select(
            Withdrawal.reference, Withdrawal.stated_at, Withdrawal.name, Withdrawal.contract, Withdrawal.email,
            Withdrawal.goods, Withdrawal.state, Withdrawal.settled_at, Withdrawal.note,
        ).where(Withdrawal.order_id == order_id).order_by(Withdrawal.id),
        "answers": select(Answer.answered_at, Answer.score, Answer.words)
        .join(SurveyInvitation, SurveyInvitation.id == Answer.invitation_id)
        .where(SurveyInvitation.order_id == order_id)
        .order_by(Answer.id),
        "returns": select(
            Return.rma, Return.kind, Return.requested_at, Return.decision, Return.decided_at, Return.decision_note,
            Return.goods, Return.received_at, Return.closed_as,
        ).where(Return.order_id == order_id).order_by(Return.id),
        "return_lines": select(Return.rma, OrderLine.title, ReturnLine.quantity, ReturnLine.reason, ReturnLine.words)
        .join(ReturnLine, ReturnLine.return_id == Return.id)
        .join(OrderLine, OrderLine.id == ReturnLine.order_line_id)
        .where(Return.order_id == order_id)
        .order_by(ReturnLine.id),
        "inspections": select(
            OrderLine.title, Inspection.counted, Inspection.grade, Inspection.disposition, Inspection.deduction,
            Inspection.note, Staff.name.label("by"), Inspection.inspected_at,
        )
        .join(ReturnLine, ReturnLine.id == Inspection.return_line_id)
        .join(OrderLine, OrderLine.id == ReturnLine.order_line_id)
        .join(Staff, Staff.id == Inspection.inspected_by_id)
        .where(ReturnLine.return_id.in_(returns))
        .order_by(Inspection.id),
        "refunds": select(
            Refund.amount, Refund.currency, Refund.state, Refund.way, asked.name.label("asked_by"), Refund.requested_at,
            approved.name.label("approved_by"), Refund.approved_at, Refund.stripe_refund_id, Refund.bank_reference,
            Refund.proof, Refund.settled_at,
        )
        .outerjoin(asked, asked.id == Refund.requested_by_id)
        .outerjoin(approved, approved.id == Refund.approved_by_id)
        .where(Refund.order_id == order_id)
        .order_by(Refund.id),
        "attempts": select(
            RefundAttempt.at, RefundAttempt.source, RefundAttempt.from_state, RefundAttempt.to_state,
            RefundAttempt.request_id, RefundAttempt.detail,
        )
        .join(Refund, Refund.id == RefundAttempt.refund_id)
        .where(Refund.order_id == order_id)
        .order_by(RefundAttempt.id),
        "letters": select(
            Letter.created_at, Letter.sent_at, Letter.to_address, Letter.subject, Letter.state, Letter.text,
        )
        .where(Letter.order_id == order_id)
        .order_by(Letter.id),
        "conversation": select(CaseMessage.at, Staff.name.label("by"), CaseMessage.words)
        .join(Case, Case.id == CaseMessage.case_id)
        .outerjoin(Staff, Staff.id == CaseMessage.staff_id)
        .where(Case.order_id == order_id)
        .order_by(CaseMessage.id),
        "pictures": select(
            Picture.id.label("picture"), Picture.uploaded_at, Picture.about, Staff.name.label("by"), Picture.width,
            Picture.height, func.encode(Picture.digest, "hex").label("sha256"),
        )
        .outerjoin(Staff, Staff.id == Picture.staff_id)
        .where(Picture.order_id == order_id, Picture.about.is_not(None))
        .order_by(Picture.id),
    }  # fmt: skip


def _rows(found: Select[Any]) -> Section:
    return [dict(row._mapping) for row in session.execute(found)]


def _timeline(order_id: int, locale: str) -> Section:
    sealed = (Seal.entry_of == "timeline") & (Seal.entry_id == TimelineEntry.id)
    found = select(TimelineEntry, Seal.digest).outerjoin(Seal, sealed).where(TimelineEntry.order_id == order_id)
    return [
        {"at": entry.at, "what": told(entry, locale), "by": entry.by, "seal": seal.hex() if seal else None}
        for entry, seal in session.execute(found.order_by(TimelineEntry.at, TimelineEntry.id))
    ]


def as_json(sections: Mapping[str, Section], *, now: datetime) -> bytes:
    """For programs; the order of sections is that of the paper."""
    return json.dumps({"made_at": now, **sections}, default=str, ensure_ascii=False, indent=2).encode()


def as_paper(sections: Mapping[str, Section], settings: Settings, *, now: datetime) -> bytes:
    """For people: A4, every page numbered and named."""
    number, currency = str(sections["order"][0]["number"]), str(sections["order"][0]["currency"])
    sheet = Sheet(_("Order %(number)s", number=number), f"{settings.shop_name} · {now:%Y-%m-%d %H:%M} UTC")
    for name, rows in sections.items():
        sheet.heading(str(TITLES[name]))
        for row in rows or ({"": _("Nothing.")},):
            sheet.entry(_told(row, currency))
            if "picture" in row:
                sheet.picture(session.scalars(select(Picture.content).where(Picture.id == row["picture"])).one())
    return sheet.done()


def _told(row: Mapping[str, Any], currency: str) -> list[str]:
    """One line of what is short, then what has lines of its own."""
    texts = {label: _spelled(label, value, currency) for label, value in row.items() if value not in (None, "")}
    short = [
        f"{label.replace('_', ' ')}: {text}".removeprefix(": ") for label, text in texts.items() if "\n" not in text
    ]
    long = [line for text in texts.values() if "\n" in text for line in text.splitlines()]
    return [" · ".join(short), *long]


def _spelled(label: str, value: Any, currency: str) -> str:
    if label in AMOUNTS:
        return Money(value, currency).format()
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)


class Sheet:
    """Pages that fill from top to bottom."""

    def __init__(self, title: str, foot: str) -> None:
        self.paper, self.title, self.foot, self.page = io.BytesIO(), title, foot, 0
        self.canvas = open_canvas(self.paper, A4, title)
        self._begin_page()

    def _begin_page(self) -> None:
        self.page, self.y = self.page + 1, TOP
        typeset.draw(self.canvas, LEFT, self.y, self.title, 14 if self.page == 1 else 9, bold=True)
        typeset.draw(self.canvas, LEFT, 10 * mm, f"{self.foot} · {self.page}", 7)
        self.y -= 10 * mm

    def _line(self, text: str, size: float, bold: bool = False) -> None:
        for line in typeset.wrap(text, size, WIDE, bold):
            if self.y < BOTTOM:
                self.canvas.showPage()
                self._begin_page()
            typeset.draw(self.canvas, LEFT, self.y, line, size, bold)
            self.y -= size * 1.4

    def heading(self, text: str) -> None:
        self.y -= 4 * mm
        self._line(text, 11, bold=True)
        self.y -= 1 * mm

    def entry(self, lines: Iterable[str]) -> None:
        """One thing, its lines together, a gap after it."""
        for line in lines:
            self._line(line, SMALL)
        self.y -= 2 * mm

    def picture(self, raw: bytes) -> None:
        """A JPEG as it is: no wider than the text, no higher than a third of the page, at least 100 dots an inch."""
        image = ImageReader(io.BytesIO(raw))
        width, height = image.getSize()
        scale = min(WIDE / width, HIGH / height, 0.72)
        if self.y - height * scale < BOTTOM:
            self.canvas.showPage()
            self._begin_page()
        self.y -= height * scale
        self.canvas.drawImage(image, LEFT, self.y, width * scale, height * scale)
        self.y -= 6 * mm

    def done(self) -> bytes:
        self.canvas.save()
        return self.paper.getvalue()
