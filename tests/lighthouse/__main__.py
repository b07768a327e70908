"""What Lighthouse says of four pages of a demo shop that is opened for it: `make lighthouse` writes docs/lighthouse.md.

Two of its audits are left out; docs/lighthouse.md says why.
"""

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from playwright.sync_api import BrowserContext, sync_playwright

from tests.browser import QUIET
from tests.chromium import HOW, find
from tests.running import ROOT, Demo, is_free, stop, until

REACH = 98
ROUNDS, TRIES = 3, 3
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
LEFT_OUT = ("is-crawlable", "robots-txt")
LIGHTHOUSE = ROOT / "var" / "lighthouse" / "node_modules" / ".bin" / "lighthouse"
ASKED = """
    SELECT order_id, id FROM survey_invitations WHERE state = 'sent' AND closes_at > now() ORDER BY id DESC LIMIT 1
"""
OWN_LINK = """
    INSERT INTO links (digest, order_id, purpose, subject, created_at, expires_at)
    VALUES (%s, %s, 'survey', %s, now(), now() + interval '1 day')
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One page: how it did in each category, of a hundred, and the audits that cost it something."""

    page: str
    scores: Mapping[str, float]
    faults: Sequence[str]
    first_paint: float


def main() -> None:
    if not (chromium := find()):
        sys.exit(f"There is no Chromium here; {HOW}.")
    with opened_shop() as demo, browsing(chromium) as (context, port):
        addresses = {**customers_pages(context, demo), "the desk's order page": desk_page(context, demo)}
        seen = [look_at(page, address, port) for page, address in addresses.items()]
    (ROOT / "docs" / "lighthouse.md").write_text(report(seen), "utf-8")
    print(report(seen))
    if short := [one for one in seen if min(one.scores.values()) < REACH]:
        sys.exit("\n".join(f"Below {REACH}: {one.page}: {', '.join(one.faults)}" for one in short))


@contextmanager
def opened_shop() -> Iterator[Demo]:
    with tempfile.TemporaryDirectory() as place:
        demo = Demo(Path(place) / "demo")
        process, _said = demo.open()
        try:
            yield demo
        finally:
            stop(process)


@contextmanager
def browsing(chromium: str) -> Iterator[tuple[BrowserContext, int]]:
    """A browser that keeps its cookies, and the port on which Lighthouse talks to it."""
    port = next(port for port in range(9300, 9400) if is_free(port))
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        arguments = [*QUIET, f"--remote-debugging-port={port}"]
        yield playwright.chromium.launch_persistent_context(profile, executable_path=chromium, args=arguments), port


def customers_pages(context: BrowserContext, demo: Demo) -> dict[str, str]:
    """The addresses of a customer's pages, once the browser has come by their links."""
    guide = json.loads((demo.var / "guide.json").read_text())
    page = context.new_page()
    page.goto(demo.address(f"/l/{guide['links'][0][0]}"))
    tracked = page.url
    page.goto(demo.address(f"/l/{guide['links'][2][0]}"))
    sent_back = page.url.partition("?")[0] + "/returns/new"
    page.goto(demo.address(f"/l/{link_to_a_survey(demo)}"))
    return {"tracking page": tracked, "return form": sent_back, "survey": page.url}


def link_to_a_survey(demo: Demo) -> str:
    """A link like that in a letter which asks how it was; letters hold it, the shop only its hash."""
    [url] = re.findall(r"^export DATABASE_URL='?(.*?)'?$", (demo.var / "settings.sh").read_text(), re.MULTILINE)
    token = secrets.token_hex(14).translate(str.maketrans("0189", "ghij"))
    with psycopg.connect(url, autocommit=True) as shop:
        until(lambda: shop.execute(ASKED).fetchone(), 120)
        shop.execute(OWN_LINK, (sha256(token.encode()).digest(), *(shop.execute(ASKED).fetchone() or ())))
    return token


def desk_page(context: BrowserContext, demo: Demo) -> str:
    guide = json.loads((demo.var / "guide.json").read_text())
    page = context.new_page()
    page.goto(demo.address("/desk/sign-in"))
    page.get_by_label("E-mail").fill(guide["people"][0][0])
    page.get_by_label("Password").fill(guide["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(demo.address("/desk/refunds?state=done"))
    page.get_by_role("table").get_by_role("link").first.click()
    page.get_by_role("link", name=re.compile(r"^Order \d+$")).first.click()
    return page.url


def look_at(page: str, address: str, port: int) -> Seen:
    """Medians of some rounds: Lighthouse itself says that one is chance."""
    rounds = [lighthouse(address, port, at_a_desk=page.startswith("the desk")) for _ in range(ROUNDS)]
    scores = {name: 100 * median(one["categories"][name]["score"] for one in rounds) for name in CATEGORIES}
    first_paint = median(one["audits"]["first-contentful-paint"]["numericValue"] for one in rounds)
    return Seen(page, scores, sorted({fault for one in rounds for fault in faults(one)}), first_paint / 1000)


def lighthouse(address: str, port: int, *, at_a_desk: bool) -> dict[str, Any]:
    """One round, on a slow phone unless at a desk. Raises SystemExit when it can't look, or sees another page."""
    told = [f"--only-categories={','.join(CATEGORIES)}", f"--skip-audits={','.join(LEFT_OUT)}", "--output=json"]
    here = [f"--port={port}", "--disable-storage-reset", "--quiet", *(["--preset=desktop"] if at_a_desk else [])]
    environ = {**os.environ, "NO_UPDATE_NOTIFIER": "1"}
    for _ in range(TRIES):  # on a busy machine it may miss the beginning of a page
        command = [LIGHTHOUSE, address, *told, *here]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300, check=False)
        if done.returncode == 0:
            break
    else:
        sys.exit(f"Lighthouse did not look at {address}:\n{done.stderr}")
    said: dict[str, Any] = json.loads(done.stdout)
    if said["finalDisplayedUrl"].partition("#")[0] != address.partition("#")[0]:
        sys.exit(f"{address} led to {said['finalDisplayedUrl']}")
    return said


def faults(said: Mapping[str, Any]) -> Iterator[str]:
    """The audits that count and cost something."""
    for category in said["categories"].values():
        for part in category["auditRefs"]:
            score = said["audits"][part["id"]]["score"]
            if part["weight"] and score is not None and score < 1:
                yield part["id"]


def report(seen: Sequence[Seen]) -> str:
    rows = "\n".join(
        f"| {one.page} | {' | '.join(f'{one.scores[name]:.0f}' for name in CATEGORIES)} | {one.first_paint:.1f} s |"
        f" {', '.join(one.faults) or 'none'} |"
        for one in seen
    )
    version = json.loads(PACKAGE.read_text())["dependencies"]["lighthouse"]
    return TEMPLATE.format(rows=rows, reach=REACH, rounds=ROUNDS, version=version)


PACKAGE = Path(__file__).with_name("package.json")
TEMPLATE = Path(__file__).with_name("report.md").read_text("utf-8")

if __name__ == "__main__":
    main()
