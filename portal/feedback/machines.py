"""Was it a person? Programs that check mails follow every link, and some press buttons, within moments."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import lazy_gettext as _l
from itsdangerous import BadSignature, Signer
from sqlalchemy import func, select

from portal.db import session
from portal.lib.tokens import digest
from portal.orders.links import GRANT_LASTS
from portal.orders.models import Grant, Link

TRAP = "trap"
"""The purpose of a link that letters carry where no person sees it."""
AFTER_A_TRAP = timedelta(seconds=60)
AT_ONCE = timedelta(seconds=10)
MANY = 4
QUICKEST = timedelta(seconds=1)
DOUBTS = {
    "trap": _l("%(score)s of 5, perhaps from a machine: a link was followed that nobody sees"),
    "many": _l("%(score)s of 5, perhaps from a machine: many links of the mail were opened at once"),
    "quick": _l("%(score)s of 5, perhaps from a machine: sent the moment the page was shown"),
}
DOUBTS_OF = {
    "trap": _l("%(score)s of %(of)s, perhaps from a machine: a link was followed that nobody sees"),
    "many": _l("%(score)s of %(of)s, perhaps from a machine: many links of the mail were opened at once"),
    "quick": _l("%(score)s of %(of)s, perhaps from a machine: sent the moment the page was shown"),
}
"""The same for a scale that does not end at five; what was written before names only the score."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What went before an answer. `opened` counts visits at once, `shown_for` how long the page was there, if known."""

    trapped_here: bool = False
    trapped_lately: bool = False
    opened: int = 1
    shown_for: timedelta | None = None


def doubt(signs: Signs) -> str:
    """Why a machine may have answered; empty when nothing speaks for it."""
    if signs.trapped_here or signs.trapped_lately:
        return "trap"
    if signs.opened >= MANY:
        return "many"
    return "quick" if signs.shown_for is not None and signs.shown_for < QUICKEST else ""


def signs(order_id: int, browser: str, shown: str, *, now: datetime) -> Signs:
    """What is known of the visits that came before this answer; one statement."""
    came = Grant.expires_at - GRANT_LASTS
    trap, survey = Link.purpose == TRAP, Link.purpose == "survey"
    here = func.coalesce(func.bool_or(trap & (Grant.browser == digest(browser))), False)
    lately = func.coalesce(func.bool_or(trap & (came > now - AFTER_A_TRAP)), False)
    opened = func.count().filter(survey, came > now - AT_ONCE)
    found = select(here, lately, opened).select_from(Grant).join(Link).where(Link.order_id == order_id)
    trapped_here, trapped_lately, visits = session.execute(found).one()
    return Signs(trapped_here, trapped_lately, visits, _shown_for(order_id, shown, now))


def stamp(order_id: int, *, now: datetime) -> str:
    """What the form carries: when its page was made, so that nobody can say otherwise."""
    return _signer().sign(f"{order_id}|{now.timestamp()}").decode()


def _shown_for(order_id: int, shown: str, now: datetime) -> timedelta | None:
    """How long the page was there; None for a form that does not say, or says it of another order."""
    try:
        order, _, moment = _signer().unsign(shown).decode().partition("|")
    except BadSignature:
        return None
    return timedelta(seconds=now.timestamp() - float(moment)) if order == str(order_id) else None


def _signer() -> Signer:
    return Signer(current_app.config["SECRET_KEY"], salt="survey-shown")
