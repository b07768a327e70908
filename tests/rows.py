"""Tables in a test module's first lines: each row tells what can happen, and names under it the tests that hold it."""

import re
from pathlib import Path

NAMED = re.compile(r"^    (?:(\S+): )?(test_\w+)$", re.MULTILINE)


def held_by(file: str) -> list[tuple[str, str]]:
    """The tests named at the top of this file, with their own. Raises AssertionError for one that is not there.

    A name stands alone, or after the module beside this one, or after `package/module` of another package.
    """
    here = Path(file)
    named = NAMED.findall(here.read_text("utf-8").split('"""')[1])
    for module, test in named:
        where = here.parents["/" in module] / f"{module}.py" if module else here
        assert f"def {test}(" in where.read_text("utf-8"), f"{where} has no {test}"
    return named
