"""`python -m tests.mutants [words]`: take out each safety rule in turn and show which test turns red.

Works on a copy of the tree with a database server of its own. Ends with 1 when a mutant survives, when its text no
longer stands in the code, or when a test is red before anything is taken out. `words` choose rules, or tests. The table
goes into docs/refunds.md, between its marks, when all rules were tried.
"""

import sys

from tests.mutants.rules import MUTANTS
from tests.mutants.trying import ROOT, chosen, told, try_all, write


def main(words: list[str]) -> int:
    found = try_all(chosen(MUTANTS, words))
    if not words:
        write(found, ROOT / "docs" / "refunds.md", "mutants")
    return told(found, "mutants")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
