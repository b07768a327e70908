"""Public reviews: offered to everyone who answered, or to nobody. Never only to the happy."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal.db import Base, session
from portal.lib.errors import Refused
from portal.staff.models import Staff

CHECKS: dict[str, Any] = {
    "unchecked": _l("Reviews there are not checked: anybody can write one, also without having bought from us."),
    "invited": _l("Only people whom the review site wrote to after an order of ours can write a review there."),
    "proven": _l("The review site asks for a proof of the purchase before it shows a review."),
}
"""Whether and how it is checked that reviewers bought the goods; readers are to be told (UCPD art. 7(6))."""
LONGEST = 500


class ReviewOffer(Base):
    """Where customers may also say it in public, who decided so, and when. Rows are only added: the last one holds.

    Without an address nobody is offered anything.
    """

    __tablename__ = "review_offers"
    __table_args__ = (CheckConstraint(f"checked IN {tuple(CHECKS)}", name="checked"),)
    address: Mapped[str]
    checked: Mapped[str]
    chosen_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    chosen_at: Mapped[datetime]
    chosen_by: Mapped[Staff] = relationship()

    @property
    def how(self) -> str:
        """What readers are told of how reviews are checked."""
        return str(CHECKS[self.checked])

    @property
    def site(self) -> str:
        """The site's name as people know it."""
        return (urlsplit(self.address).hostname or "").removeprefix("www.")


def last_choice() -> ReviewOffer | None:
    found = select(ReviewOffer).order_by(ReviewOffer.id.desc()).limit(1)
    return session.scalar(found.options(joinedload(ReviewOffer.chosen_by)))


def offered() -> ReviewOffer | None:
    """What every answerer is shown, whatever they said; None when nobody is."""
    last = last_choice()
    return last if last and last.address else None


def offer(address: str, checked: str, *, by: Staff, now: datetime) -> None:
    """From now on everybody is offered this page; with no address nobody is. Raises Refused for any other place."""
    if address and not _is_a_review_page(address):
        sites = ", ".join(current_app.config["SETTINGS"].review_sites)
        raise Refused(_("Only pages that begin with https:// at one of these sites: %(sites)s.", sites=sites))
    session.add(ReviewOffer(address=address, checked=checked, chosen_by_id=by.id, chosen_at=now))


def _is_a_review_page(address: str) -> bool:
    try:
        parts = urlsplit(address)
        odd = parts.port is not None or parts.username is not None
    except ValueError:
        return False
    host = parts.hostname or ""
    known = any(host == site or host.endswith(f".{site}") for site in current_app.config["SETTINGS"].review_sites)
    plain = address.isascii() and address.isprintable() and not set(address) & set(" \\\"'<>")
    return parts.scheme == "https" and known and plain and not odd and len(address) <= LONGEST
