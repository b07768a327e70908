"""Whom the portal calls: only who proves to be meant, and never somewhere else than it was told to."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from portal.adapters import smtp, web
from portal.adapters.errors import Temporary
from tests.conftest import Catcher

HERE = "127.0.0.1"
Trust = Callable[[], None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody vouches for, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HERE)])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HERE))]), critical=False)
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(
        key.private_bytes(*form) + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return file


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


# --- HTTP ---


class Redirecting(BaseHTTPRequestHandler):
    """Sends everybody to the machine's own metadata."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(302)
        self.send_header("Location", "/latest/meta-data")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def redirecting() -> Iterator[HTTPServer]:
    server = HTTPServer((HERE, 0), Redirecting)
    Redirecting.asked.clear()
    yield server
    server.shutdown()
    server.server_close()


def served(server: HTTPServer) -> str:
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return f"{HERE}:{server.server_port}"


def test_15_3_2_nobody_is_sent_on_by_those_whom_we_call(redirecting: HTTPServer) -> None:
    answer = web.call("GET", f"http://{served(redirecting)}/trackers")
    assert (answer.status, Redirecting.asked) == (302, ["/trackers"])


def test_12_3_2_a_server_that_nobody_vouches_for_is_told_nothing(redirecting: HTTPServer, certificate: Path) -> None:
    redirecting.socket = server_side(certificate).wrap_socket(redirecting.socket, server_side=True)
    with pytest.raises(Temporary):
        web.call("GET", f"https://{served(redirecting)}/trackers", headers={"Authorization": "secret"})
    assert Redirecting.asked == []


# --- mail ---


@pytest.fixture
def encrypted(
    certificate: Path, free_port: Callable[[], int], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catcher]:
    """A mail server that offers encryption, and a portal that asks for it."""
    catcher, port = Catcher(), free_port()
    controller = Controller(
        catcher, hostname=HERE, port=port, tls_context=server_side(certificate), require_starttls=True
    )
    controller.start()
    monkeypatch.setattr(app.extensions["mail"], "port", port)
    monkeypatch.setattr(app.extensions["mail"], "use_tls", True)
    yield catcher
    controller.stop()


def letter() -> dict[str, Any]:
    return {"to": "alice@example.org", "subject": "s", "html": "h", "text": "t", "message_id": "<1@x>", "headers": {}}


def test_12_3_2_a_mail_server_that_nobody_vouches_for_gets_no_letter(encrypted: Catcher) -> None:
    with pytest.raises(Temporary, match="certificate verify failed"):
        smtp.send(**letter())
    assert encrypted.mails == []


def test_a_mail_server_that_is_vouched_for_gets_it_encrypted(
    encrypted: Catcher, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    smtp.send(**letter())
    assert [mail["To"] for mail in encrypted.mails] == ["alice@example.org"]
