"""The letters of this feature, in every language, with whatever people typed."""

from datetime import timedelta
from email.message import EmailMessage

import pytest

from portal import mail
from portal.config import LANGUAGES
from portal.db import session
from portal.feedback.rules import SCORES
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


@pytest.mark.parametrize("locale", LANGUAGES)
def test_how_was_it_has_the_scale_in_it(world, work, mails, locale):
    sent = send(
        work, mails, "how-was-it", world.alice, locale, number="1001", scores=SCORES, customer_id=1, survey_id=1
    )
    for score in range(1, 6):
        assert html_of(sent).count(f"?v={score}") == 1
        assert text_of(sent).count(f"?v={score}") == 1
    assert "1001" in str(sent["subject"])
    assert "/unsubscribe/" in text_of(sent)


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
        number=world.alice.number,
        scores=SCORES,
        customer_id=1,
        survey_id=1,
    )
    assert sent["bcc"] is None
    assert len(sent.get_all("to") or []) == 1


def test_a_letter_about_the_survey_is_dropped_when_it_is_too_late(world, work, mails):
    now = clock.now()
    context = {
        "number": "1001",
        "scores": SCORES,
        "customer_id": 1,
        "survey_id": 1,
        "not_after": now - timedelta(seconds=1),
    }
    mail.queue("how-was-it", to="a@example.org", locale="en", now=now, order_id=world.alice.id, **context)
    session.commit()
    work()
    assert mails == []
    assert session.query(Letter).one().state == "suppressed"
