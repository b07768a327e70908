"""What the headers say, spelled out here and not read from the code that sends them."""

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.db import session
from portal.lib.headers import COMMON
from tests.returns import hands
from tests.world import World, sign_in

KINDS = ("application/pdf", "application/json", "text/csv", "application/zip")
PAGES = ("/find", "/desk/sign-in", "/nothing", "/hooks/shopify", "/api/v1/openapi.json", "/healthz")


@pytest.fixture(params=PAGES)
def answer(request: pytest.FixtureRequest, client: FlaskClient) -> TestResponse:
    return client.get(request.param)


def policy(answer: TestResponse) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))


def test_l14_and_3_4_1_only_encrypted_and_for_a_year(answer: TestResponse) -> None:
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_l14_and_3_4_3_nothing_is_loaded_that_is_not_ours(answer: TestResponse) -> None:
    said = policy(answer)
    assert {name: said[name] for name in ("default-src", "object-src", "base-uri", "style-src", "form-action")} == {
        "default-src": "'none'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "style-src": "'self'",
        "form-action": "'self'",
    }


def test_l14_and_3_4_4_a_type_is_what_it_says(answer: TestResponse) -> None:
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_l14_and_3_4_5_nobody_learns_where_a_reader_came_from(answer: TestResponse) -> None:
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_l14_and_3_4_6_nobody_else_frames_it(answer: TestResponse) -> None:
    assert policy(answer)["frame-ancestors"] in ("'none'", "'self'")


def test_l14_and_3_4_8_no_other_window_holds_it(answer: TestResponse) -> None:
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_l14_and_14_3_2_it_is_neither_kept_nor_listed(answer: TestResponse) -> None:
    assert answer.headers["Cache-Control"] == "no-store, private"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow, noarchive"


def test_no_header_is_sent_that_no_line_above_holds() -> None:
    assert set(COMMON) == {
        "Referrer-Policy", "X-Content-Type-Options", "X-Robots-Tag", "Cross-Origin-Opener-Policy",
        "Cross-Origin-Resource-Policy", "Permissions-Policy", "Strict-Transport-Security",
    }  # fmt: skip


FILES = (
    "/desk/orders/{id}/evidence.pdf",
    "/desk/orders/{id}/evidence.json",
    "/desk/credit-notes/money-back.csv?first=2026-11-01&last=2026-11-30",
    "/desk/insight/promise.csv",
    "/desk/privacy/customers/{customer}/copy.zip",
)
TYPED = '"><svg onload=alert(1)>/../../x\u202e.exe'


@pytest.mark.parametrize("path", FILES)
def test_3_2_1_and_5_3_2_and_5_4_1_and_5_4_2_files_are_saved_under_names_of_ours_and_never_shown(
    client: FlaskClient, world: World, path: str
) -> None:
    hands.delivered(world, world.alice)
    world.alice.number, world.alice.customer.name = TYPED, f"{TYPED}\r\nX-Evil: 1"
    session.commit()
    answer = sign_in(client, world.max).get(path.format(id=world.alice.id, customer=world.alice.customer_id))
    assert (answer.status_code, answer.mimetype in KINDS) == (200, True)
    assert re.fullmatch(r'attachment; filename="[\w.-]+"', answer.headers["Content-Disposition"])
    assert "X-Evil" not in answer.headers
