"""Pages under load: wrk asks both in turns, each time over the same lines, and the medians of the rounds count."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from time import perf_counter

from tests.bench import history
from tests.bench.shop import Server

WRK = Path(__file__).with_name("load.lua")
LINES, MOST_READERS, WARMED_UP = 8, 2000, 3
RESULT = re.compile(r"RESULT (\d+) (\d+) (\d+) (\d+)")
NO_WRK = """wrk is missing, the tool that asks for pages. Get it with
  apt-get install wrk   (Debian, Ubuntu)
  dnf install wrk       (Fedora)
  brew install wrk      (macOS)"""


class NoWrk(Exception):
    """The message says how to get it."""


def look_for_wrk() -> None:
    if shutil.which("wrk") is None:
        raise NoWrk(NO_WRK)


@dataclass(frozen=True)
class Contestant:
    """Who is asked for what: addresses, each with its headers."""

    name: str
    server: Server
    asked: Sequence[tuple[str, Mapping[str, str]]]


def readers(server: Server) -> list[tuple[str, Mapping[str, str]]]:
    """Pages of customers who are looking, anywhere in the history, each with the cookie of its browser."""
    found = history.browsers(server.orders, MOST_READERS)
    return [(f"/orders/{ref}", {"Cookie": f"c={browser}"}) for ref, browser in found]


def holders(server: Server, most: int = 500) -> list[tuple[str, Mapping[str, str]]]:
    """The same, who hold the page already and ask whether it is still the same."""
    line, found = server.connect(), []
    for path, headers in readers(server)[:most]:
        line.request("GET", path, headers=dict(headers))
        answer = line.getresponse()
        answer.read()
        if tag := answer.getheader("ETag"):
            found.append((path, {**headers, "If-None-Match": tag}))
    return found


def in_turns(contestants: Sequence[Contestant], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Answers per second of each in each round; a first, short round only warms up."""
    found: dict[str, list[float]] = {one.name: [] for one in contestants}
    for one in contestants:
        while not asked_by_wrk(one, WARMED_UP):  # on a busy machine the first answers can take long
            pass
    for _ in range(rounds):
        for one in contestants:
            found[one.name].append(asked_by_wrk(one, seconds))
    return found


def asked_by_wrk(one: Contestant, seconds: float) -> float:
    with NamedTemporaryFile("w", suffix=".txt") as listed:
        for path, headers in one.asked:
            listed.write("\t".join([path, *(f"{name}: {value}" for name, value in headers.items())]) + "\n")
        listed.flush()
        command = ["wrk", "-t1", f"-c{LINES}", f"-d{max(1, round(seconds))}", "--timeout", "30", "-s", str(WRK)]
        address = f"http://127.0.0.1:{one.server.port}/"
        said = subprocess.run([*command, address, "--", listed.name], capture_output=True, text=True, check=True).stdout
    answers, micros, wrong, lost = map(int, RESULT.findall(said)[0])
    assert wrong == lost == 0, f"{one.name}: {wrong} wrong answers, {lost} lost of {answers}"
    return answers / micros * 1_000_000


def timed(line: HTTPConnection, path: str, headers: Mapping[str, str]) -> float:
    """Seconds until the page is here. Raises AssertionError for what is no page."""
    begin = perf_counter()
    line.request("GET", path, headers=dict(headers))
    answer = line.getresponse()
    body = answer.read()
    assert answer.status in (200, 303), f"{path}: {answer.status} {body[:200]!r}"
    return perf_counter() - begin


def one_after_the_other(
    servers: Sequence[tuple[Server, Mapping[str, str]]], paths: Sequence[Sequence[str]], times: int
) -> list[float]:
    """Median seconds of each server's page, asked in turns; each is asked for its own addresses again and again."""
    lines, took = [server.connect() for server, _headers in servers], [[] for _ in servers]  # type: list[HTTPConnection], list[list[float]]
    for turn in range(times + 2):
        for number, (_server, headers) in enumerate(servers):
            seconds = timed(lines[number], paths[number][turn % len(paths[number])], headers)
            if turn >= 2:
                took[number].append(seconds)
    return [median(found) for found in took]
