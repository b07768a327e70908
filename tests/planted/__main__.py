"""`python -m tests.planted [words]`: plant each bug of the list in turn and show which test turns red.

Works as `python -m tests.mutants` does, and ends with 1 in the same cases. The table goes into docs/security.md,
between its marks, when all bugs were planted.
"""

import sys

from tests.mutants.trying import ROOT, chosen, told, try_all, write
from tests.planted.bugs import PLANTED


def main(words: list[str]) -> int:
    found = try_all(chosen(PLANTED, words))
    if not words:
        write(found, ROOT / "docs" / "security.md", "planted", "planted")
    return told(found, "planted bugs")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
