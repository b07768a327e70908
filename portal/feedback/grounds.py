"""May we ask by mail? A survey mail is advertising: per country a ground that the law knows, with its proof kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal.db import Base, session
from portal.lib.errors import Refused
from portal.lib.tokens import digest
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.staff.models import Staff

words("survey.consented", staff=_l("May be asked by mail how it was"), customer=_l("You said that we may ask by mail"))

GROUNDS: dict[str, Any] = {
    "off": _l("Nobody is asked"),
    "consent": _l("Only who said yes"),
    "existing_customer": _l("Existing customers, who were told when they bought"),
}
CONSENT = _l("Yes, you may ask me by mail how it was, after orders to come. I can stop that at any time.")
SHORTEST_PROOF = 10


class SurveyGround(Base):
    """What the shop chose for a country, who did and on what grounds. Rows are only added: the last one holds."""

    __tablename__ = "survey_grounds"
    __table_args__ = (
        CheckConstraint("ground IN ('off', 'consent', 'existing_customer')", name="ground"),
        Index("ix_survey_grounds_country", "country", "id"),
    )
    country: Mapped[str]
    ground: Mapped[str]
    proof: Mapped[str]
    chosen_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    chosen_at: Mapped[datetime]
    chosen_by: Mapped[Staff] = relationship()


class SurveyConsent(Base):
    """Somebody said yes: to which words, when, and on the page of which order."""

    __tablename__ = "survey_consents"
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    words: Mapped[str]
    given_at: Mapped[datetime]


def all_grounds() -> Mapping[str, SurveyGround]:
    """What was chosen last, by country."""
    last = select(func.max(SurveyGround.id)).group_by(SurveyGround.country)
    chosen = select(SurveyGround).where(SurveyGround.id.in_(last)).order_by(SurveyGround.country)
    return {row.country: row for row in session.scalars(chosen.options(joinedload(SurveyGround.chosen_by)))}


def ground_in(country: str | None) -> tuple[str, int | None]:
    """The ground that holds in this country, and the choice behind it; without a choice, what the settings say."""
    settings = current_app.config["SETTINGS"]
    where = country or settings.shop_country
    chosen = select(SurveyGround).where(SurveyGround.country == where).order_by(SurveyGround.id.desc()).limit(1)
    if row := session.scalar(chosen):
        return row.ground, row.id
    return ("off" if where in settings.survey_countries_off else "existing_customer"), None


def choose_ground(country: str, ground: str, proof: str, *, by: Staff, now: datetime) -> SurveyGround:
    """From now on people there are asked on this ground. Raises Refused without words that prove it."""
    if ground != "off" and len(proof) < SHORTEST_PROOF:
        raise Refused(_("Write down where your customers are told, and in which words: it is your proof."))
    row = SurveyGround(country=country, ground=ground, proof=proof, chosen_by_id=by.id, chosen_at=now)
    session.add(row)
    return row


def consent_digest(email: str) -> bytes:
    return digest(f"survey-consent:{email.strip().lower()}")


def consent_of(email: str) -> int | None:
    """The row that proves that this address said yes; None when it did not."""
    return session.scalar(select(SurveyConsent.id).where(SurveyConsent.digest == consent_digest(email)))


def give_consent(order_id: int, *, now: datetime) -> None:
    """The customer says yes on their page, whose link came to their address. A second yes changes nothing."""
    order = session.get_one(Order, order_id)
    if not order.customer.email:
        raise Refused(_("We have no address to write to."))
    values = {"order_id": order_id, "words": str(CONSENT), "given_at": now}
    new = insert(SurveyConsent).values(digest=consent_digest(order.customer.email), **values)
    if session.scalar(new.on_conflict_do_nothing(index_elements=["digest"]).returning(SurveyConsent.id)):
        record(order_id, "survey.consented", by="customer", now=now)


def may_be_asked_for_consent(order_id: int, objected: bool) -> bool:
    """Whether a yes is missing here and would count."""
    order = session.get_one(Order, order_id)
    email = order.customer.email
    return bool(email) and not objected and ground_in(order.country)[0] == "consent" and not consent_of(email or "")
