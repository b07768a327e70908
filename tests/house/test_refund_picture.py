"""docs/refunds.md and its picture tell the states that the code has."""

import re
from pathlib import Path

from flask import Flask

from portal.refunds.models import HOLDING, STATES, Refund
from tests.house.refund_picture import LABELS, LINES, PLACES, WORDS, drawn, moves

DOCS = Path(__file__).parents[2] / "docs"


def test_the_picture_has_every_state_and_every_move(app: Flask) -> None:
    assert set(PLACES) == set(STATES)
    assert set(LINES) == moves()
    assert set(WORDS) == {verb for _, _, verb in LABELS} == set(Refund.MOVES["state"])
    picture = (DOCS / "pictures" / "refund-states.svg").read_text()
    assert picture == drawn(), "draw it anew: python -m tests.house.refund_picture docs/pictures/refund-states.svg"


def test_the_page_tells_every_state_and_which_hold_their_amount() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| [^|]+ \| (yes|no) \|", (DOCS / "refunds.md").read_text(), re.M)
    told = {state: holds == "yes" for states, holds in rows for state in re.findall(r"\w+", states)}
    assert told == {state: state in HOLDING for state in STATES}
