"""`python -m tests.mutants [words]`: take out each safety rule in turn and show which test turns red.

Works on a copy of the tree with a database server of its own. Ends with 1 when a mutant survives, when its text no
longer stands in the code, or when a test is red before anything is taken out. `words` choose rules, or tests. The table
goes into docs/refunds.md, between its marks, when all rules were tried.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from tests.mutants.rules import MUTANTS, Edit, Mutant

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "refunds.md"
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".hypothesis", ".*_cache")
AT_ONCE = int(os.environ.get("MUTANTS_AT_ONCE", "2"))
BEGIN, END = "<!-- mutants -->", "<!-- /mutants -->"
RED = re.compile(r"^(?:FAILED|ERROR) \S+::(\w+)", re.MULTILINE)


class NoLongerThere(Exception):
    """The text of an edit does not stand in its file exactly once."""


def main(words: list[str]) -> int:
    wanted = [mutant for mutant in MUTANTS if all(word in f"{mutant.rule} {mutant.tests}" for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: Queue[Path] = Queue()
        for number in range(AT_ONCE):
            trees.put(copied(Path(folder) / str(number)))
        every = sorted({test for mutant in wanted for test in mutant.tests})
        if red := first_red(every, Path(folder) / "0" / "tree"):
            sys.exit(f"{red} is red before anything is taken out")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(zip(wanted, pool.map(lambda mutant: tried_in_one(trees, mutant), wanted), strict=True))
    if not words:
        write(found)
    survivors = [mutant.rule for mutant, red in found if not red]
    print(f"{len(found)} mutants, {len(survivors)} survived")
    return 1 if survivors else 0


def copied(folder: Path) -> Path:
    """The tree without its data and its history."""
    return Path(shutil.copytree(ROOT, folder / "tree", ignore=LEFT_OUT))


def tried_in_one(trees: "Queue[Path]", mutant: Mutant) -> str:
    """In a tree that nobody else uses meanwhile."""
    tree = trees.get()
    try:
        return tried(mutant, tree)
    finally:
        trees.put(tree)


def tried(mutant: Mutant, tree: Path) -> str:
    """The first test that turned red, or nothing when the mutant survived."""
    try:
        with without(mutant.edits, tree):
            red = first_red(mutant.tests, tree)
    except NoLongerThere as error:
        red = ""
        print(f"  {error}", flush=True)
    print(f"{'caught  ' if red else 'SURVIVED'}  {mutant.rule}: {red}", flush=True)
    return red


@contextmanager
def without(edits: tuple[Edit, ...], tree: Path) -> Iterator[None]:
    """Within this block the tree lacks the rule."""
    before = {edit.file: (tree / edit.file).read_text() for edit in edits}
    try:
        for edit in edits:
            text = (tree / edit.file).read_text()
            (tree / edit.file).write_text(changed(text, edit))
        yield
    finally:
        for name, text in before.items():
            (tree / name).write_text(text)


def changed(text: str, edit: Edit) -> str:
    """Raises NoLongerThere."""
    if text.count(edit.old) != 1:
        raise NoLongerThere(f"{edit.file} has this {text.count(edit.old)} times: {edit.old!r}")
    return text.replace(edit.old, edit.new)


def first_red(tests: Iterable[str], tree: Path) -> str:
    """Raises RuntimeError when the tests could not be run at all: that proves nothing."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environ = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "MACHINE_EXAMPLES": "40"}
    done = subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    found = RED.search(done.stdout)
    if found is None:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    return found[1]


def write(found: list[tuple[Mutant, str]]) -> None:
    rows = [f"| {mutant.rule} | {_said(red)} |" for mutant, red in found]
    table = "\n".join(["| taken out | what turned red |", "|---|---|", *rows])
    page = PAGE.read_text()
    head, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


def _said(red: str) -> str:
    return red.removeprefix("test_").replace("_", " ") if red else "**nothing**"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
