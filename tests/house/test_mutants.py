"""What `make mutants` and `make planted` take out still stands where it stood, and so do the tests that hold it."""

import re

import pytest

from tests.mutants.rules import MUTANTS, Edit, Mutant
from tests.mutants.trying import ROOT
from tests.planted.bugs import PLANTED

ALL = (*MUTANTS, *PLANTED)


@pytest.mark.parametrize(
    "edit", sorted({edit for one in ALL for edit in one.edits}, key=repr), ids=lambda edit: edit.file
)
def test_what_is_taken_out_stands_there_once(edit: Edit) -> None:
    assert (ROOT / edit.file).read_text().count(edit.old) == 1


@pytest.mark.parametrize("mutant", ALL, ids=lambda one: one.rule)
def test_the_test_that_has_to_turn_red_exists(mutant: Mutant) -> None:
    for address in mutant.tests:
        file, _, name = address.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE) if name else (ROOT / file).exists()


def test_each_planted_bug_is_another() -> None:
    assert len({mutant.edits for mutant in PLANTED}) == len(PLANTED) >= 20
