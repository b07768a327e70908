"""The third door: a code, sent to the address of the order, opens to a browser what its link alone does not.

Six digits, ten minutes, once, in the browser that asked for it, five tries, five codes a day per order: who guesses all
day gets in with a chance of 2.5 in 100,000.
"""

import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask_babel import gettext as _
from sqlalchemy import Select, delete, select, update

from portal.db import limits, session
from portal.lib.errors import Refused
from portal.lib.tokens import digest
from portal.mail.links import minted_for
from portal.orders.letters import write
from portal.orders.links import GRANT_LASTS
from portal.orders.models import Code, Order

DIGITS = 6
LIVES = timedelta(minutes=10)
MOST_TRIES = 5
MOST_PER_DAY = 5
hasher = PasswordHasher()  # a code has too few digits for a plain hash


def ask(order: Order, browser: str, *, now: datetime) -> None:
    """Owe the customer a code for this browser. Raises Refused when there is no address, or it was asked too often."""
    if not order.customer.email:
        raise Refused(_("We have no e-mail address of this order. Please write to us."))
    if not limits.take("code", str(order.id), MOST_PER_DAY, limits.LONGEST, now):
        raise Refused(_("That was often today. Please try again tomorrow, or write to us."))
    code = Code(order_id=order.id, browser=digest(browser), created_at=now, expires_at=now + LIVES)
    session.add(code)
    session.flush()
    write("your-code", order, about=f"code:{code.id}", now=now, not_after=code.expires_at, code=code.id)


@minted_for("code")
def mint(code_id: int, _now: datetime) -> str:
    """The digits, for the letter that is about to leave; a letter that is sent again has new ones."""
    digits = "".join(secrets.choice("0123456789") for _ in range(DIGITS))
    session.get_one(Code, code_id).kept = hasher.hash(digits)
    return digits


def waiting(order_id: int, browser: str, *, now: datetime) -> Code | None:
    """The newest code that this browser may still type in."""
    return session.scalar(_live(order_id, browser, now).order_by(Code.id.desc()).limit(1))


def _live(order_id: int, browser: str, now: datetime) -> Select[Code]:
    mine = (Code.order_id == order_id, Code.browser == digest(browser))
    return select(Code).where(*mine, Code.used_at.is_(None), Code.expires_at > now, Code.tries < MOST_TRIES)


def confirm(order_id: int, browser: str, typed: str, *, now: datetime) -> bool:
    """Whether these are the digits of the newest code; if so it is used up, else a try is.

    The try is counted before it is looked at, so that many at once have no more than five together.
    """
    code = waiting(order_id, browser, now=now)
    if code is None or not _take_try(code):
        return False
    if not _matches(code, typed):
        return False
    code.used_at = now
    return True


def _take_try(code: Code) -> bool:
    left = update(Code).where(Code.id == code.id, Code.tries < MOST_TRIES, Code.used_at.is_(None))
    return session.execute(left.values(tries=Code.tries + 1).returning(Code.id)).first() is not None


def _matches(code: Code, typed: str) -> bool:
    try:
        return code.kept is not None and hasher.verify(code.kept, "".join(typed.split()))
    except VerifyMismatchError:
        return False


def forget(*, now: datetime) -> None:
    """Remove codes that open nothing any more."""
    session.execute(delete(Code).where(Code.expires_at < now - GRANT_LASTS))
