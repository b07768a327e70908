"""Fixtures for tests in a real browser: the portal served on loopback, a phone with scripts on or off."""

import re
from collections.abc import Iterator
from threading import Thread
from typing import Literal

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from waitress import create_server

from tests.chromium import HOW, find

SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
QUIET = ["--no-sandbox", "--disable-background-networking"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A Chromium of this machine; without one the test is skipped, loudly."""
    path = find()
    if path is None:
        pytest.skip(f"NOT RUN: there is no Chromium here; {HOW}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def served(real: Flask) -> Iterator[str]:
    """The portal's address on loopback, on the database of `real`."""
    server = create_server(real, host="127.0.0.1", port=0, threads=4)
    running = Thread(target=server.run, daemon=True)
    running.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    running.join(timeout=5)


@pytest.fixture
def phone(chromium: Browser, served: str) -> Iterator[Page]:
    """A phone with scripts; a word on its console fails the test."""
    yield from _opened(chromium, served, PHONE, scripts=True)


@pytest.fixture
def old_phone(chromium: Browser, served: str) -> Iterator[Page]:
    """A phone with scripts off."""
    yield from _opened(chromium, served, PHONE, scripts=False)


@pytest.fixture
def desktop(chromium: Browser, served: str) -> Iterator[Page]:
    """A desk's screen with scripts."""
    yield from _opened(chromium, served, DESKTOP, scripts=True)


def _opened(chromium: Browser, served: str, size: dict[str, int], *, scripts: bool) -> Iterator[Page]:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not re.search("status of 4(01|09|22)", message.text):
            complaints.append(message.text)

    context = chromium.new_context(
        base_url=served,
        viewport={"width": size["width"], "height": size["height"]},
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(10_000)
    yield page
    context.close()
    assert not complaints, complaints


CONTRAST = """
() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const part = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  };
  const pale = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest(".hidden-text, .skip")) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.push(`${texts.currentNode.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return pale;
}
"""


WIDTHS = (320, 390, 768, 1280)


def complaints(page: Page) -> list[str]:
    """What nobody should have to see on this page, on small and large screens, by day and by night."""
    before, found = page.viewport_size, [f"nobody could name {one}" for one in nameless(page)]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"at {width} it is {over} too wide" for over in [overflow(page)] if over]
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found += [f"pale at {width} when {scheme}: {one}" for one in pale_texts(page)]
    if before:
        page.set_viewport_size(before)
    return found


def pale_texts(page: Page) -> list[str]:
    """Texts that stand out from what is behind them by less than 4.5 to 1."""
    found: list[str] = page.evaluate(CONTRAST)
    return found


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def nameless(page: Page) -> list[str]:
    """Controls that a screen reader could not name, and ids that stand twice."""
    found: list[str] = page.evaluate(
        """() => {
          const named = (e) => e.labels?.length || e.getAttribute("aria-label") || e.getAttribute("aria-labelledby")
            || e.textContent.trim() || e.type === "hidden" || e.querySelector("img[alt]")?.alt;
          const controls = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, iframe")];
          const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
          return [...controls.filter((e) => !named(e) && !e.title).map((e) => e.outerHTML.slice(0, 80)),
            ...ids.filter((id, n) => ids.indexOf(id) !== n)];
        }"""
    )
    return found
