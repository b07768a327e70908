"""Take the README's picture from a demo shop that is opened for it: `make pictures`."""

import base64
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import QUIET
from tests.chromium import HOW, find
from tests.running import Demo, stop

PHONE, DESK = {"width": 390, "height": 900}, {"width": 1180, "height": 900}
SIDE_BY_SIDE = """
<body style="margin: 0; padding: 36px; display: flex; gap: 36px; background: #d9dce6; width: max-content">
  <img width="390" style="border-radius: 28px" src="data:image/png;base64,{}">
  <img width="1180" style="border-radius: 12px" src="data:image/png;base64,{}">
</body>
"""


def main(folder: Path) -> None:
    if not (path := find()):
        sys.exit(f"There is no Chromium here; {HOW}.")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        demo = Demo(Path(place) / "demo")
        process, _ = demo.open()
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        guide = json.loads((demo.var / "guide.json").read_text())
        folder.mkdir(parents=True, exist_ok=True)
        overview(browser, followed(browser, demo, guide), at_the_desk(browser, demo, guide), folder / "overview.png")
        browser.close()
        stop(process)


def opened(browser: Browser, demo: Demo, size: dict[str, int]) -> Page:
    viewport: Any = size
    return browser.new_context(base_url=demo.address(""), viewport=viewport, device_scale_factor=2).new_page()


def followed(browser: Browser, demo: Demo, guide: dict[str, Any]) -> bytes:
    """A customer's page: the parcel comes today."""
    page = opened(browser, demo, PHONE)
    page.goto(f"/l/{guide['links'][0][0]}")
    return page.screenshot()


def at_the_desk(browser: Browser, demo: Demo, guide: dict[str, Any]) -> bytes:
    """The desk's page of an order that came back and was paid back."""
    page = opened(browser, demo, DESK)
    page.goto("/desk/sign-in")
    page.get_by_label("E-mail").fill(guide["people"][0][0])
    page.get_by_label("Password").fill(guide["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto("/desk/refunds?state=done")
    page.get_by_role("table").get_by_role("link").first.click()
    page.get_by_role("link", name=re.compile(r"^Order \d+$")).first.click()
    return page.screenshot()


def overview(browser: Browser, left: bytes, right: bytes, target: Path) -> None:
    page = browser.new_page(viewport={"width": 1700, "height": 990})
    page.set_content(SIDE_BY_SIDE.format(*(base64.b64encode(picture).decode() for picture in (left, right))))
    page.locator("body").screenshot(path=target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
