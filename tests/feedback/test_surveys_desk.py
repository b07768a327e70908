"""The shop sets when customers are asked and on which ground; the page says whom we did not ask, and why."""

import pytest
from sqlalchemy import select

from portal.db import session
from portal.feedback.grounds import SurveyConsent, SurveyGround, choose_ground
from portal.feedback.models import SurveyInvitation
from portal.feedback.timing import SurveyTerms, terms
from portal.lib import clock
from tests.conftest import nothing_appears, statements
from tests.feedback.scenes import asked, invitation_of
from tests.world import open_link, sign_in

TERMS = {
    "after_days": "7",
    "hour": "10",
    "working_days": "y",
    "remind_days": "4",
    "quiet_days": "60",
    "silence_days": "20",
}
PROOF = "Beside the e-mail field in the checkout, since May."


def test_the_manager_sets_when_customers_are_asked(client, world):
    sign_in(client, world.max)
    assert client.post("/desk/surveys/terms", data=TERMS).status_code == 303
    held = terms()
    assert (held.after.days, held.hour, held.working_days, held.remind_days, held.quiet_days) == (7, 10, True, 4, 60)
    assert held.silence_days == 20
    assert 'value="60"' in client.get("/desk/surveys").text


@pytest.mark.parametrize(
    "wrong", [{"after_days": "0"}, {"hour": "3"}, {"hour": "x"}, {"remind_days": "26"}, {"quiet_days": "366"}]
)
def test_times_that_make_no_sense_are_refused(client, world, wrong):
    sign_in(client, world.max)
    with nothing_appears():
        answer = client.post("/desk/surveys/terms", data={**TERMS, **wrong})
    assert (answer.status_code, session.scalars(select(SurveyTerms)).all()) == (422, [])


def test_a_chosen_ground_is_kept_with_its_proof_and_the_one_before_it(client, world):
    sign_in(client, world.max)
    chosen = {"country": "DE", "ground": "consent", "proof": PROOF}
    assert client.post("/desk/surveys/grounds", data=chosen).status_code == 303
    kept = session.scalars(select(SurveyGround).order_by(SurveyGround.id)).all()
    assert [(row.ground, row.chosen_by_id) for row in kept] == [
        ("existing_customer", world.max.id),
        ("consent", world.max.id),
    ]
    page = client.get("/desk/surveys").text
    assert PROOF in page
    assert "Told beside the e-mail field." not in page


@pytest.mark.parametrize(
    ("change", "status"), [({"proof": "yes"}, 409), ({"country": "ZZ"}, 422), ({"ground": ""}, 422)]
)
def test_a_ground_without_proof_or_country_changes_nothing(client, world, change, status):
    sign_in(client, world.max)
    with nothing_appears():
        data = {"country": "FR", "ground": "consent", "proof": PROOF, **change}
        assert client.post("/desk/surveys/grounds", data=data).status_code == status


@pytest.mark.parametrize("who", ["cleo", "sam", "fran"])
def test_only_managers_set_surveys(client, world, who):
    sign_in(client, getattr(world, who))
    with nothing_appears():
        assert client.get("/desk/surveys").status_code == 403
        assert client.post("/desk/surveys/terms", data=TERMS).status_code == 403


def test_the_page_says_whom_we_did_not_ask_and_why_in_few_statements(client, world, work):
    choose_ground("DE", "off", "", by=world.max, now=clock.now())
    asked(world.alice, world.pat, work)
    with clock.moved(invitation_of(world.alice).due_at - clock.now()):
        sign_in(client, world.max)
        with statements() as seen:
            page = client.get("/desk/surveys").text
    assert page.count("Off for this country") == 2
    assert f'href="/desk/orders/{world.alice.id}"' in page
    assert len(seen) < 12


def test_a_customer_says_yes_on_the_page_of_thanks(client, world, work):
    asked(world.alice, world.pat, work)
    choose_ground("DE", "consent", PROOF, by=world.max, now=clock.now())
    session.commit()
    open_link(client, world.alice, "survey")
    here = f"/orders/{world.alice.ref}/survey"
    assert "May we ask you again?" not in client.get(here).text
    client.post(here, data={"score": "5"})
    assert "May we ask you again?" in client.get(here).text
    assert client.post(f"{here}/consent", data={"yes": "yes"}).status_code == 303
    assert session.scalars(select(SurveyConsent.order_id)).all() == [world.alice.id]
    assert "May we ask you again?" not in client.get(here).text
    with nothing_appears():
        client.post(f"{here}/consent", data={"yes": "yes"})
        assert client.post(f"{here}/consent", data={"yes": "perhaps"}).status_code == 400
    assert session.scalars(select(SurveyInvitation.consent_id)).all() == [None]
