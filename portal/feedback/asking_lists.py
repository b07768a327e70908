"""Whom we asked lately, and whom we did not, with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.feedback.models import SurveyInvitation

LATELY = timedelta(days=90)
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """How many questions became due lately: asked, reminded, answered, and not asked by reason."""

    asked: int
    reminded: int
    answered: int
    not_asked: Mapping[str, int]


def counted(*, now: datetime) -> Asked:
    """Of the last 90 days."""
    lately = (SurveyInvitation.due_at > now - LATELY, SurveyInvitation.due_at <= now)
    columns = (SurveyInvitation.state, SurveyInvitation.suppressed_because)
    reminded, mailed = func.count(SurveyInvitation.reminded_at), func.count(SurveyInvitation.sent_at)
    rows = session.execute(select(*columns, func.count(), reminded, mailed).where(*lately).group_by(*columns)).all()
    return Asked(
        asked=sum(row[4] for row in rows),
        reminded=sum(row[3] for row in rows),
        answered=sum(row[2] for row in rows if row.state == "answered"),
        not_asked={row.suppressed_because: row[2] for row in rows if row.state == "suppressed"},
    )


def not_asked(*, now: datetime) -> Sequence[SurveyInvitation]:
    """The last who were not asked."""
    found = select(SurveyInvitation).where(SurveyInvitation.state == "suppressed", SurveyInvitation.due_at <= now)
    newest = found.order_by(SurveyInvitation.due_at.desc(), SurveyInvitation.id.desc()).limit(SHOWN)
    return session.scalars(newest.options(joinedload(SurveyInvitation.order))).all()
