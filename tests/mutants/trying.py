"""Take something out of a copy of the code, and see which test turns red. Used by `make mutants` and `make planted`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from tests.mutants.rules import Edit, Mutant

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".hypothesis", ".*_cache")
AT_ONCE = int(os.environ.get("MUTANTS_AT_ONCE", "2"))
RED = re.compile(r"^(?:FAILED|ERROR) \S+::(\w+)", re.MULTILINE)
IDS = re.compile(r"^test_(?:(?:l\d+|\d+_\d+_\d+)_(?:and_)?)*")
Found = list[tuple[Mutant, str]]


class NoLongerThere(Exception):
    """The text of an edit does not stand in its file exactly once."""


def chosen(mutants: Sequence[Mutant], words: list[str]) -> list[Mutant]:
    """Those whose rule or tests hold all these words."""
    return [mutant for mutant in mutants if all(word in f"{mutant.rule} {mutant.tests}" for word in words)]


def try_all(wanted: Sequence[Mutant]) -> Found:
    """Each with the first test that turned red. Ends the program when a test is red before anything is taken out."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: Queue[Path] = Queue()
        for number in range(AT_ONCE):
            trees.put(copied(Path(folder) / str(number)))
        every = sorted({test for mutant in wanted for test in mutant.tests})
        if red := first_red(every, Path(folder) / "0" / "tree"):
            sys.exit(f"{red} is red before anything is taken out")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(zip(wanted, pool.map(lambda mutant: tried_in_one(trees, mutant), wanted), strict=True))


def told(found: Found, name: str) -> int:
    """Say how many survived; the exit code."""
    survivors = [mutant.rule for mutant, red in found if not red]
    print(f"{len(found)} {name}, {len(survivors)} survived")
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


def write(found: Found, page: Path, name: str, heading: str = "taken out") -> None:
    """Put what was done and what turned red into the page, between the marks of this name."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    rows = [f"| {mutant.rule} | {_said(red)} |" for mutant, red in found]
    table = "\n".join([f"| {heading} | what turned red |", "|---|---|", *rows])
    head, _, rest = page.read_text().partition(begin)
    page.write_text(f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}")


def _said(red: str) -> str:
    return IDS.sub("", red).replace("_", " ") if red else "**nothing**"
