"""Each safety rule that `make mutants` takes out still stands where it stood, and so does the test that holds it."""

import re

import pytest

from tests.mutants.__main__ import ROOT
from tests.mutants.rules import MUTANTS, Edit, Mutant


@pytest.mark.parametrize(
    "edit", sorted({edit for one in MUTANTS for edit in one.edits}, key=repr), ids=lambda edit: edit.file
)
def test_what_is_taken_out_stands_there_once(edit: Edit) -> None:
    assert (ROOT / edit.file).read_text().count(edit.old) == 1


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.rule)
def test_the_test_that_has_to_turn_red_exists(mutant: Mutant) -> None:
    for address in mutant.tests:
        file, _, name = address.partition("::")
        assert (
            re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE) if name else (ROOT / file).is_file()
        )
