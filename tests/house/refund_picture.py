"""`python -m tests.house.refund_picture docs/pictures/refund-states.svg`: draw a refund's states from its moves."""

import sys
from collections.abc import Iterator
from pathlib import Path

from portal.refunds.models import HOLDING, TO_SEND, Refund
from portal.refunds.words import STATE

WIDTH, HEIGHT = 168, 46
PLACES = {
    "requested": (20, 60),
    "rejected_by_us": (20, 280),
    "approved": (262, 60),
    "sending": (262, 170),
    "unknown": (262, 280),
    "pending": (530, 60),
    "refused_by_stripe": (530, 340),
    "succeeded": (790, 60),
    "failed": (790, 340),
    "needs_review": (1030, 200),
}
WORKER = "the worker's"
"""A frame around what is to be sent: a move that leaves from all three is one line."""
FRAME = (244, 26, 204, 318)
LINES = {
    ("requested", "approve"): (188, 83, 262, 83),
    ("requested", "refuse"): (104, 106, 104, 280),
    ("approved", "claim"): (336, 106, 336, 170),
    ("sending", "postpone"): (356, 170, 356, 106),
    ("sending", "lose"): (336, 216, 336, 280),
    ("unknown", "claim"): (356, 280, 356, 216),
    (WORKER, "pend"): (448, 83, 530, 83),
    (WORKER, "succeed"): (448, 150, 790, 98),
    (WORKER, "fail"): (448, 236, 800, 340),
    (WORKER, "review"): (448, 212, 1030, 222),
    ("sending", "reject"): (430, 202, 575, 340),
    ("unknown", "reject"): (430, 310, 530, 352),
    ("pending", "succeed"): (698, 76, 790, 76),
    ("succeeded", "pend"): (790, 90, 698, 90),
    ("pending", "fail"): (660, 106, 830, 340),
    ("pending", "review"): (690, 106, 1030, 208),
    ("succeeded", "fail"): (890, 106, 890, 340),
    ("succeeded", "review"): (950, 106, 1080, 200),
    ("failed", "review"): (950, 340, 1080, 246),
    ("refused_by_stripe", "review"): (690, 340, 1030, 232),
    ("needs_review", "drop"): (1030, 242, 698, 352),
}
LABELS = (
    (225, 76, "approve"), (135, 200, "refuse"), (310, 142, "claim"), (394, 142, "postpone"), (316, 252, "lose"),
    (378, 252, "claim"), (489, 76, "pend"), (500, 136, "succeed"), (744, 70, "succeed"), (716, 122, "pend"),
    (912, 270, "fail"), (470, 256, "fail"), (600, 209, "review"), (1046, 150, "review"), (1046, 306, "review"),
    (484, 350, "reject"), (735, 362, "drop"),
)  # fmt: skip
WORDS = {
    "approve": "a second person says yes",
    "refuse": "a person says no, and why",
    "claim": "a worker takes it, for 150 seconds",
    "postpone": "surely not executed: later",
    "lose": "no answer: look before trying again",
    "pend": "Stripe has it, the bank not yet",
    "succeed": "Stripe says that it is sent",
    "reject": "Stripe refuses, and a look finds nothing",
    "fail": "Stripe or the bank gives up, for weeks",
    "review": "something does not fit",
    "drop": "a person looked: it did not move",
}
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1d2a26; text-anchor: middle }
  .small { font-size: 11px; fill: #55635e }
  .left { text-anchor: start }
  .paper { fill: #fbfaf7 }
  .frame { fill: none; stroke: #9aa5a0; stroke-dasharray: 4 4 }
  .state { fill: #ffffff; stroke: #55635e; stroke-width: 1.2 }
  .holds { fill: #e5f0ea; stroke: #2c6a4f }
  .move { fill: none; stroke: #55635e; stroke-width: 1.2; marker-end: url(#tip) }
""".strip("\n")


def moves() -> set[tuple[str, str]]:
    """Each move's origin and verb; one that leaves from all that is to be sent leaves from the worker's frame."""
    found = set()
    for verb, (origins, target) in Refund.MOVES["state"].items():
        together = set(TO_SEND) <= set(origins) and target not in TO_SEND
        found |= {(origin, verb) for origin in origins if origin != target and not (together and origin in TO_SEND)}
        found |= {(WORKER, verb)} if together else set()
    return found


def drawn() -> str:
    return "\n".join([*_frame(), *_lines(), *map(_box, PLACES), *_legend(), "</svg>"]) + "\n"


def _frame() -> Iterator[str]:
    x, y, width, height = FRAME
    about = 'role="img" aria-label="The states of a refund"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1220 560" {about}>'
    yield f"<style>\n{STYLE}\n</style>"
    yield (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#55635e"/></marker></defs>'
    )
    yield '<rect class="paper" width="1220" height="560"/>'
    yield f'<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="12"/>'
    yield f'<text class="small" x="{x + width // 2}" y="{y + 20}">{WORKER}</text>'


def _lines() -> Iterator[str]:
    for (origin, verb), (x1, y1, x2, y2) in LINES.items():
        yield f'<path class="move" d="M{x1} {y1}L{x2} {y2}"><title>{origin}: {WORDS[verb]}</title></path>'
    for x, y, verb in LABELS:
        yield f'<text class="small" x="{x}" y="{y}">{verb}</text>'


def _box(state: str) -> str:
    x, y = PLACES[state]
    kind = "state holds" if state in HOLDING else "state"
    middle, label, name = x + WIDTH // 2, STATE[state][0], state.replace("_", " ")
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
        f'<text x="{middle}" y="{y + 20}">{label}</text><text class="small" x="{middle}" y="{y + 36}">{name}</text>'
    )


def _legend() -> Iterator[str]:
    yield '<rect class="state holds" x="20" y="430" width="26" height="16" rx="4"/>'
    yield '<text class="small left" x="56" y="442">holds its amount of the payment</text>'
    yield '<rect class="state" x="320" y="430" width="26" height="16" rx="4"/>'
    yield '<text class="small left" x="356" y="442">its amount is free for another</text>'
    for number, (verb, words) in enumerate(WORDS.items()):
        x, y = 20 + 300 * (number % 4), 480 + 26 * (number // 4)
        yield f'<text class="small left" x="{x}" y="{y}">{verb}: {words}</text>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawn())
