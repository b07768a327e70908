"""Building blocks for answers, in each language: the shop's own, and one that comes with the portal."""

from collections.abc import Sequence
from datetime import datetime

from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.config import LANGUAGES, spoken
from portal.db import Base, session
from portal.feedback.case_models import Case
from portal.lib.errors import Refused
from portal.staff.models import Staff

MOST = 200
APOLOGY = 0
"""In a snippet's place: the apology that comes with the portal."""


class Snippet(Base):
    """One block of words. In it {name} stands for the customer's name, {order} for the order's number."""

    __tablename__ = "snippets"
    language: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    words: Mapped[str]
    set_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    set_at: Mapped[datetime]


def all_snippets() -> Sequence[Snippet]:
    return session.scalars(select(Snippet).order_by(Snippet.language, Snippet.name, Snippet.id)).all()


def for_case(case: Case) -> list[tuple[int, str]]:
    """What there is in the customer's language: ids and names."""
    own = select(Snippet.id, Snippet.name).where(Snippet.language == _language(case)).order_by(Snippet.name)
    return [(APOLOGY, _("An apology")), *[(row.id, row.name) for row in session.execute(own)]]


def _language(case: Case) -> str:
    return spoken(case.order.locale, current_app.config["SETTINGS"].shop_language)


def words_for(case: Case, snippet_id: int) -> str:
    """The block as it goes into an answer to this customer. Raises Refused for one that is gone."""
    if snippet_id == APOLOGY:
        with force_locale(_language(case)):
            said = _("We are sorry that this went wrong. It should not have happened, and we make it right.")
    else:
        snippet = session.get(Snippet, snippet_id)
        if snippet is None:
            raise Refused(_("This building block is gone."))
        said = snippet.words
    return said.replace("{name}", case.order.customer.name or "").replace("{order}", case.order.number)


def keep(language: str, name: str, words: str, *, by: Staff, now: datetime) -> Snippet:
    """A new block. Raises Refused for a language that we don't speak, and for too many."""
    if language not in LANGUAGES:
        raise Refused(_("Choose one of the list."))
    if len(all_snippets()) >= MOST:
        raise Refused(_("There are too many building blocks. Remove one first."))
    snippet = Snippet(language=language, name=name, words=words, set_by_id=by.id, set_at=now)
    session.add(snippet)
    return snippet


def remove(snippet_id: int) -> bool:
    """Whether there was such a one."""
    return session.scalar(delete(Snippet).where(Snippet.id == snippet_id).returning(Snippet.id)) is not None
