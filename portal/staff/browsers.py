"""What a browser is called, so that people know their devices apart."""

import re

NAMES = (("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
         ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip
SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
           ("CrOS", "ChromeOS"), ("Mac OS X", "Mac"), ("Linux", "Linux"))  # fmt: skip


def called(user_agent: str | None) -> str:
    """ "Firefox, Windows" of a User-Agent header; as much of it as is known."""
    told = user_agent or ""
    found = [next((name for mark, name in known if re.search(rf"\b{mark}", told)), "") for known in (NAMES, SYSTEMS)]
    return ", ".join(part for part in found if part)
