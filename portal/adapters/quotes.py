"""What is new in a mail, and what is only quoted: the newest words first, signatures trimmed.

Our letters carry a line of our own above which people write, so most answers are cut there and nowhere else. What other
programs put before a quote is found by its shape and by the words of our languages. Reads each line once.
"""

import re
from dataclasses import dataclass

RULE = "———"
"""A line of a letter that begins and ends so is the one to write above."""
WROTE = ("wrote", "schrieb", "geschrieben", "schreef", "a écrit", "escribió", "írta", "ezt írta")
ORIGINAL = re.compile(
    r"-{2,}\s*(original message|forwarded message|urspr[üu]ngliche nachricht|weitergeleitete nachricht|"
    r"message d.origine|message transféré|oorspronkelijk bericht|mensaje original|eredeti üzenet)",
    re.IGNORECASE,
)
FROM = re.compile(r"[>*\s]*(from|von|de|van|feladó)\*?\s?:", re.IGNORECASE)
SUBJECT = re.compile(r"[>*\s]*(subject|betreff|objet|onderwerp|asunto|tárgy)\*?\s?:", re.IGNORECASE)
SENT_FROM = re.compile(
    r"(sent from my |von meinem .{1,40} gesendet|gesendet von|envoyé de mon|envoyé depuis|verzonden vanaf mijn|"
    r"enviado desde mi|az .{1,40} küldve|get outlook for|holen sie sich outlook)",
    re.IGNORECASE,
)
HEADERS_WITHIN = 6
"""Lines in which the headers stand that Outlook puts before a quote."""
SIGNATURE_WITHIN = 12
"""A signature is not longer: what is longer below two dashes was written for us."""


@dataclass(frozen=True, slots=True)
class Said:
    """The words, and what stands below them for whoever wants to look."""

    words: str
    quoted: str


def fold(text: str) -> Said:
    """Cut where the quote begins. A mail that answers between quoted lines, or has nothing else, stays whole."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    at = _beginning(lines)
    above, below = lines[:at], lines[at:]
    if not _said(above):
        return _below(below)
    above, signature = _without_signature(above)
    return Said("\n".join(above).strip(), "\n".join(signature + below).strip())


def _beginning(lines: list[str]) -> int:
    """The first line of the quote; the number of lines when nothing is quoted."""
    for at, line in enumerate(lines):
        if _is_rule(line):
            return _with_attribution(lines, at)
        if ORIGINAL.match(line.strip()) or _is_outlook(lines, at):
            return at
        if line.startswith(">") and _all_quoted(lines, at):
            return _with_attribution(lines, at)
    return len(lines)


def _is_rule(line: str) -> bool:
    bare = line.lstrip("> \t").rstrip()
    return len(bare) > 2 * len(RULE) and bare.startswith(RULE) and bare.endswith(RULE)


def _is_outlook(lines: list[str], at: int) -> bool:
    return bool(FROM.match(lines[at])) and any(SUBJECT.match(line) for line in lines[at + 1 : at + HEADERS_WITHIN])


def _all_quoted(lines: list[str], at: int) -> bool:
    """Whether nothing new comes any more: only quotes, blank lines, and a signature at most."""
    rest = [line for line in lines[at:] if line.strip() and not line.startswith(">")]
    return not rest or bool(rest[0].rstrip() == "--" or SENT_FROM.match(rest[0].strip()))


def _with_attribution(lines: list[str], at: int) -> int:
    """From the line on that says who wrote what follows, and when: it may be wrapped over three."""
    first, found = at, at
    while first and not lines[first - 1].strip():
        first -= 1
    for begins in range(first - 1, max(-1, first - 4), -1):
        told = " ".join(lines[begins:first]).lstrip("> ").strip()
        if not lines[begins].strip() or not (told.endswith(":") and any(word in told.lower() for word in WROTE)):
            break
        found = begins
        if any(sign.isdigit() for sign in told):
            break
    return found


def _said(lines: list[str]) -> bool:
    return any(line.strip() for line in lines)


def _below(lines: list[str]) -> Said:
    """The answer stands under the quote, or there is nothing but the quote."""
    new = [line for line in lines if not line.startswith(">") and not _is_rule(line) and not _is_attribution(line)]
    quoted = [line for line in lines if line.startswith(">")]
    if quoted and _said(new):
        kept, signature = _without_signature(new)
        return Said("\n".join(kept).strip(), "\n".join(quoted + signature).strip())
    return Said("", "\n".join(lines).strip())


def _is_attribution(line: str) -> bool:
    return line.strip().endswith(":") and any(word in line.lower() for word in WROTE)


def _without_signature(lines: list[str]) -> tuple[list[str], list[str]]:
    """Below two dashes (RFC 3676), and what telephones add."""
    for at in range(len(lines) - 1, max(-1, len(lines) - SIGNATURE_WITHIN - 1), -1):
        line = lines[at].strip()
        if (line == "--" or SENT_FROM.match(line)) and _said(lines[:at]):
            return lines[:at], lines[at:]
    return lines, []
