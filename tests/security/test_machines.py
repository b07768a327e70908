"""What machines say is believed when it is signed, and nothing that they send chooses where our links lead."""

import hmac
from typing import Any
from unittest.mock import patch

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import session
from portal.inbox.sources import SOURCES
from portal.mail.models import Letter
from tests.conftest import nothing_appears
from tests.security.senders import MESSAGES, signed
from tests.world import World, sign_in


def test_every_sender_is_known_here() -> None:
    assert set(MESSAGES) == set(SOURCES)


@pytest.mark.parametrize("source", MESSAGES)
def test_11_2_4_every_signature_is_compared_in_constant_time(client: FlaskClient, source: str) -> None:
    """What was sent and what was expected meet in `hmac.compare_digest` and nowhere else."""
    raw, compared, real = MESSAGES[source], [], hmac.compare_digest

    def noted(one: Any, other: Any) -> bool:
        compared.append({part.decode() if isinstance(part, bytes) else part for part in (one, other)})
        return real(one, other)

    wrong = signed(source, raw, "somebody-else")
    with patch("hmac.compare_digest", noted), nothing_appears(but={"inbox_refusals"}):
        assert client.post(f"/hooks/{source}", data=raw, headers=wrong).status_code == 401
    [pair] = compared
    assert len(pair) == 2
    assert any(part in value for part in pair for value in wrong.values())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:443", "127.0.0.1:8000@evil.example"])
def test_4_1_3_and_15_3_4_links_in_letters_lead_to_us_whatever_host_was_asked(
    client: FlaskClient, world: World, host: str
) -> None:
    world.max.role = "admin"
    sign_in(client, world.max)
    said = {"X-Forwarded-Host": host, "Forwarded": f"host={host}"}
    nora = {"name": "Nora", "email": "nora@shop.example", "role": "support"}
    assert client.post("/desk/people", data=nora, headers=said).status_code == 303
    sent = client.post("/find", data={"number": "1001", "email": "alice@example.org"}, base_url=f"http://{host}")
    assert "evil.example" not in sent.text + (sent.location or "")
    letter = session.scalars(select(Letter).order_by(Letter.id.desc())).first()
    assert letter is not None
    assert "http://127.0.0.1:8000/desk/invitations/" in letter.text
    assert "evil.example" not in letter.html + letter.text + str(letter.headers)
