"""The web server as it really runs, spoken to as no browser speaks: it answers clearly, and serves the others on."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from threading import Thread

import pytest
from flask import Flask
from waitress import create_server

from portal.serving import how_served

SECONDS = 20  # after which it counts as hanging
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def port(shared_app: Flask) -> Iterator[int]:
    server = create_server(shared_app, host="127.0.0.1", port=0, threads=4, **how_served(shared_app))
    running = Thread(target=server.run, daemon=True)
    running.start()
    yield server.effective_port
    server.close()
    running.join(timeout=5)


def spoken(port: int, raw: bytes) -> bytes:
    """All that comes back."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as line:
        with suppress(OSError):  # it may have hung up before all was sent
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
        heard = b""
        with suppress(ConnectionResetError):  # it did not read all that was sent
            while piece := line.recv(65_536):
                heard += piece
        return heard


def codes(heard: bytes) -> list[int]:
    """The status of each answer in what was heard."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", heard)]


def head(*lines: bytes, first: bytes = b"POST /find HTTP/1.1") -> bytes:
    return b"\r\n".join((first, b"Host: shop", *lines, b"", b""))


TWISTED = {
    "two lengths": head(b"Content-Length: 0", b"Content-Length: 38") + SMUGGLED,
    "a length twice in one": head(b"Content-Length: 0, 38") + SMUGGLED,
    "a negative length": head(b"Content-Length: -1") + SMUGGLED,
    "a signed length": head(b"Content-Length: +0") + SMUGGLED,
    "a length in hex": head(b"Content-Length: 0x0") + SMUGGLED,
    "a length with a blank": head(b"Content-Length : 0") + SMUGGLED,
    "a length that is no number": head(b"Content-Length: \xd9\xa0") + SMUGGLED,
    "an unknown encoding": head(b"Transfer-Encoding: xchunked") + SMUGGLED,
    "two encodings": head(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n" + SMUGGLED,
    "an encoding behind a tab": head(b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n" + SMUGGLED,
    "a chunk without a size": head(b"Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk longer than it says": head(b"Transfer-Encoding: chunked") + b"1\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "a header without a colon": head(b"Content-Length") + SMUGGLED,
    "a header with a NUL": head(b"X-A: \x00", b"Content-Length: 0") + SMUGGLED,
    "a method with a NUL": head(first=b"GE\x00T / HTTP/1.1") + SMUGGLED,
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9 + b"\r\n\r\n",
    "headers without an end": head(b"X-A: " + b"a" * 300_000),
}


@pytest.mark.parametrize("what", TWISTED)
def test_4_2_1_one_request_is_never_taken_for_two(port: int, what: str) -> None:
    heard = codes(spoken(port, TWISTED[what]))
    assert heard in ([400], [431], [501], [])
    assert is_well(port)


def test_4_2_1_a_folded_line_belongs_to_the_header_above_it(port: int) -> None:
    """As RFC 9112 section 5.2 allows: it is no length of a body, so what follows is a request of its own."""
    heard = codes(spoken(port, head(b"X-A: 1", b" Content-Length: 38", first=b"GET /healthz HTTP/1.1") + SMUGGLED))
    assert heard == [200, 404]


def is_well(port: int) -> bool:
    return codes(spoken(port, head(first=b"GET /healthz HTTP/1.0"))) == [200]


BIG = {
    "a length beyond all limits": head(b"Content-Length: 99999999999999999999"),
    "a length over the limit": head(b"Content-Length: 17000000") + b"x" * 1000,
    "a length over the portal's own limit": head(b"Content-Length: 1500000") + b"x" * 1_500_000,
    "chunks over the portal's own limit": head(b"Transfer-Encoding: chunked")
    + b"16E360\r\n"
    + b"x" * 1_500_000
    + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", BIG)
def test_5_2_1_what_is_too_big_is_refused_before_anybody_reads_it(port: int, what: str) -> None:
    assert codes(spoken(port, BIG[what])) in ([400], [413])
    assert is_well(port)


def test_who_goes_away_in_the_middle_leaves_nothing_behind(port: int) -> None:
    assert spoken(port, head(b"Content-Length: 1000", first=b"POST /hooks/shopify HTTP/1.1") + b'{"id": 1') == b""
    assert is_well(port)


def test_slow_clients_keep_nobody_waiting(port: int) -> None:
    """Three times as many as the web server would hold by itself, each in the middle of its request."""
    with ExitStack() as lines:
        for number in range(300):
            line = lines.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))
            line.sendall(head(b"Content-Length: 9")[: 20 + number % 30])
        assert is_well(port)
