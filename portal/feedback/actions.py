"""Keep the answer, and leave off when asked to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from portal.db import limits, move, session
from portal.feedback import articles, models
from portal.feedback.articles import Article
from portal.feedback.built_in import FIVE
from portal.feedback.cases import follow_answer
from portal.feedback.machines import DOUBTS, DOUBTS_OF
from portal.feedback.models import Answer, AnswerStars, SurveyInvitation, SurveyObjection
from portal.feedback.rollups import count_again, nameless
from portal.feedback.rules import SURVEY_LASTS
from portal.lib.errors import Refused
from portal.orders.models import Customer
from portal.orders.timeline import record, words

CHANGES_PER_HOUR = 20

words("survey.answered", staff=_l("Answered: %(score)s of 5"), customer=_l("You told us how it was"))
words("survey.answered_of", staff=_l("Answered: %(score)s of %(of)s"), customer=_l("You told us how it was"))
words("survey.changed", staff=_l("Changed the answer from %(before)s to %(score)s of 5"))
words("survey.changed_of", staff=_l("Changed the answer from %(before)s to %(score)s of %(of)s"))
words("survey.objected", staff=_l("Does not want to be asked how it was"))
for why, told in DOUBTS.items():
    words(f"survey.doubted.{why}", staff=told)
for why, told in DOUBTS_OF.items():
    words(f"survey.doubted_of.{why}", staff=told)


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody answers. `version` is the question that their page showed; `stars` are by line of the order."""

    score: int | None = None
    words: str = ""
    choice: int | None = None
    stars: Mapping[int, int] = field(default_factory=dict)
    version: int | None = None


def give_answer(order_id: int, score: int, said: str, *, now: datetime, doubt: str = "") -> Answer:
    """Keep a score and words: what `answer` does with them."""
    return answer(order_id, Said(score, said), now=now, doubt=doubt)


def answer(order_id: int, said: Said, *, now: datetime, doubt: str = "") -> Answer:
    """Keep what the customer says: the last answer before closing counts. A bad one opens a case, once.

    With a `doubt` whether it was a person the answer is provisional: it takes no person's place and opens nothing.
    Raises Refused for what the question does not offer, and when it is closed.
    """
    invitation = _open_question(order_id, now)
    score, rated = _fitting(invitation, said)
    answer = invitation.answer or Answer(invitation_id=invitation.id)
    before = (None, None) if answer.id is None or answer.provisional else (answer.score, answer.words)
    if (answer.id and doubt) or (before[0] is not None and _same(answer, score, said)):
        return answer
    if not limits.take("answers", str(order_id), CHANGES_PER_HOUR, timedelta(hours=1), now):
        raise Refused(_("That is a lot at once. Please wait a little. Your last answer counts."))
    _keep(answer, invitation, score, said, rated)
    answer.answered_at, answer.provisional = now, bool(doubt)
    session.add(answer)
    if invitation.anonymous:
        if not doubt:
            _unname(answer, invitation, now)
        session.flush()
        count_again([order_id] if doubt else [order_id, nameless(answer.id)])
        return answer
    if doubt:
        _note(answer, f"survey.doubted.{doubt}", order_id, now)
        count_again([order_id])
        return answer
    move(invitation, "state", "answer", closes_at=invitation.closes_at or now + SURVEY_LASTS)
    _note_answer(answer, order_id, before[0], now)
    follow_answer(answer, order_id, before, now=now)
    count_again([order_id])
    return answer


def _open_question(order_id: int, now: datetime) -> SurveyInvitation:
    invitation = models.invitation_of(order_id)
    if invitation is None or invitation.state == "suppressed":
        raise Refused(_("There is no question about this order."))
    if invitation.state == "expired" or (invitation.closes_at and now >= invitation.closes_at):
        raise Refused(_("This question is closed. Your answer was not changed."))
    if invitation.anonymous and invitation.state == "answered":
        raise Refused(_("You have answered already. Your answer is kept without your order: nobody can change it."))
    return invitation


def _fitting(invitation: SurveyInvitation, said: Said) -> tuple[int, Mapping[int, Article]]:
    """The score that counts, and the articles that got stars. What the question does not offer is refused."""
    version = invitation.version
    if said.version not in (None, version.id):
        raise Refused(_("We ask this differently now. Please look at the question again; nothing was sent."))
    if said.choice is not None and not 1 <= said.choice <= len(version.said(invitation.order.locale).choices):
        raise Refused(_("Choose one of the answers that stand there."))
    if version.kind == "stars" and not said.stars:
        raise Refused(_("Give at least one article its stars."))
    if said.stars:
        return min(said.stars.values()), _rated(invitation, said.stars)
    if said.score is None or said.score not in version.values:
        raise Refused(_("Choose a number from %(low)s to %(high)s.", low=version.low, high=version.high))
    return said.score, {}


def _rated(invitation: SurveyInvitation, stars: Mapping[int, int]) -> Mapping[int, Article]:
    there = {article.id: article for article in articles.kept(invitation.order_id)}
    if not stars.keys() <= there.keys():
        raise Refused(_("Stars are for what arrived and what you kept. Please look at the page again."))
    if not set(stars.values()) <= set(invitation.version.values):
        raise Refused(_("Give each article one to five stars."))
    return {line: there[line] for line in stars}


def _same(answer: Answer, score: int, said: Said) -> bool:
    stars = {row.order_line_id: row.stars for row in answer.stars}
    return (answer.score, answer.words, answer.choice, stars) == (score, said.words, said.choice, dict(said.stars))


def _keep(answer: Answer, invitation: SurveyInvitation, score: int, said: Said, rated: Mapping[int, Article]) -> None:
    version = invitation.version
    answer.version, answer.kind = version, version.kind
    answer.question = version.said(invitation.order.locale).ask
    answer.score, answer.mood, answer.choice, answer.words = score, version.mood(score), said.choice, said.words
    before = {row.order_line_id: row for row in answer.stars}
    answer.stars = [
        before.get(line) or AnswerStars(order_line_id=line, sku=article.sku, title=article.title)
        for line, article in rated.items()
    ]
    for row in answer.stars:
        row.stars = said.stars[row.order_line_id or 0]


def _note(answer: Answer, kind: str, order_id: int, now: datetime, **facts: Any) -> None:
    """On the order's timeline, with the end of the scale where it is not five."""
    name, _, why = kind.partition(".doubted.")
    if answer.version.high != FIVE.high:
        kind = f"{name}.doubted_of.{why}" if why else f"{kind}_of"
        facts["of"] = answer.version.high
    record(order_id, kind, by="customer", now=now, score=answer.score, **facts)


def _note_answer(answer: Answer, order_id: int, before: int | None, now: datetime) -> None:
    if before is None:
        _note(answer, "survey.answered", order_id, now)
    elif before != answer.score:
        _note(answer, "survey.changed", order_id, now, before=before)


def _unname(answer: Answer, invitation: SurveyInvitation, now: datetime) -> None:
    """Cut the answer off from its order, and keep of its moment only the day; no timeline tells. It opens nothing."""
    move(invitation, "state", "answer")
    answer.invitation_id, answer.answered_at = None, now.replace(hour=0, minute=0, second=0, microsecond=0)
    for row in answer.stars:
        row.order_line_id = None


def object_to_surveys(customer_id: int, order_id: int, *, now: datetime) -> None:
    """Never ask this customer again."""
    email = session.get_one(Customer, customer_id).email
    if not email:
        return
    new = insert(SurveyObjection).values(digest=models.objection_digest(email), objected_at=now)
    if session.scalar(new.on_conflict_do_nothing(index_elements=["digest"]).returning(SurveyObjection.id)):
        record(order_id, "survey.objected", by="customer", now=now)
