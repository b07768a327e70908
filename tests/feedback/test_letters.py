"""The letters of this feature, in every language, with whatever people typed."""

from datetime import timedelta
from email.message import EmailMessage
from html import unescape
from typing import Any

import pytest

from portal import mail
from portal.config import LANGUAGES
from portal.db import session
from portal.feedback.articles import Article
from portal.feedback.built_in import BUILT_IN
from portal.feedback.putting import Put, put_in
from portal.feedback.questions import current
from portal.lib import clock
from portal.mail.models import Letter
from tests.feedback.scenes import html_of, text_of

NASTY = "Sorry!\r\nBcc: everybody@example.com\r\n\r\n<script>alert(1)</script> ~track~ {{ 7*7 }} %(number)s \u202e€"


def send(work, mails: list[EmailMessage], kind: str, order, locale: str, **context) -> EmailMessage:
    mails.clear()
    mail.queue(kind, to=order.customer.email, locale=locale, now=clock.now(), order_id=order.id, **context)
    session.commit()
    work()
    (sent,) = mails
    return sent


def put(code: str = "csat", locale: str = "en", **more: Any) -> Put:
    article = Article(17, "MUG-01", "Stoneware mug", "Moss") if code == "stars" else None
    return put_in(current(code, now=clock.now()), locale, "delivered", article, **more)


def asked_in(locale: str, code: str, **more: Any) -> dict[str, Any]:
    """What the letter is told."""
    return {"number": "1001", "customer_id": 1, "survey_id": 1, "ground": "consent", "put": put(code, locale, **more)}


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("code", BUILT_IN)
def test_how_was_it_has_the_whole_scale_of_its_kind_in_it(world, work, mails, code, locale):
    sent = send(work, mails, "how-was-it", world.alice, locale, **asked_in(locale, code))
    scale = BUILT_IN[code]
    for score in range(scale.low, scale.high + 1):
        choice = f"?v={score}&a=17" if code == "stars" else f"?v={score}"
        assert text_of(sent).count(f"{choice}\r\n") == 1
        assert unescape(html_of(sent)).count(f'{choice}"') == 1
    assert ("Stoneware mug, Moss" in text_of(sent)) == (code == "stars")
    assert current(code, now=clock.now()).texts[locale]["ask"] in unescape(html_of(sent))
    assert "1001" in str(sent["subject"])
    assert "/unsubscribe/" in text_of(sent)


@pytest.mark.parametrize(
    ("reason", "said"),
    [("delivered", "has arrived"), ("return_settled", "is settled"), ("case_closed", "is solved")],
)
def test_the_letter_says_why_it_comes_now(world, work, mails, reason, said):
    context = {**asked_in("en", "ces"), "put": put_in(current("ces", now=clock.now()), "en", reason)}
    for part in (text_of, html_of):
        assert said in part(send(work, mails, "how-was-it", world.alice, "en", **context))


def test_an_anonymous_question_says_so(world, work, mails):
    sent = send(work, mails, "how-was-it-again", world.alice, "en", **asked_in("en", "csat", anonymous=True))
    assert "without your name and your order" in text_of(sent)
    assert "without your name and your order" in html_of(sent)


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("asks", [True, False])
def test_case_reply_quotes_us_and_leads_to_the_conversation(world, work, mails, locale, asks):
    context = {"number": "1001", "case_id": 7, "said": "A new mug leaves today.", "by": "Sam", "asks": asks}
    sent = send(work, mails, "case-reply", world.alice, locale, **context)
    assert "A new mug leaves today." in html_of(sent)
    assert "A new mug leaves today." in text_of(sent)
    assert "/l/" in text_of(sent)


def test_what_people_typed_is_text_in_a_letter_and_no_header(world, work, mails):
    context = {"number": f"1001{NASTY}", "case_id": 7, "said": NASTY, "by": f"Sam{NASTY}", "asks": False}
    sent = send(work, mails, "case-reply", world.alice, "en", **context)
    assert sent["bcc"] is None
    assert sent["to"] == "alice@example.org"
    assert "\n" not in str(sent["subject"])
    assert "<script>alert" not in html_of(sent)
    assert "{{ 7*7 }}" in text_of(sent)
    assert "~track~" in text_of(sent)


def test_a_name_with_a_line_break_writes_no_header(world, work, mails):
    world.alice.number = "1001\r\nBcc: everybody@example.com"
    session.commit()
    sent = send(
        work,
        mails,
        "how-was-it",
        world.alice,
        "en",
        **{**asked_in("en", "csat"), "number": world.alice.number},
    )
    assert sent["bcc"] is None
    assert len(sent.get_all("to") or []) == 1


def test_a_letter_about_the_survey_is_dropped_when_it_is_too_late(world, work, mails):
    now = clock.now()
    context = {**asked_in("en", "csat"), "not_after": now - timedelta(seconds=1)}
    mail.queue("how-was-it", to="a@example.org", locale="en", now=now, order_id=world.alice.id, **context)
    session.commit()
    work()
    assert mails == []
    assert session.query(Letter).one().state == "suppressed"
