"""`python -m tests.before [release] [tests]`: the code of the release before, on the tables of today.

While a new release is brought out, web processes of both run side by side on tables that are the newer one's already.
Without a release's name it is the newest tag, and where there is none the last commit before the newest migration. Its
own tests run in a copy of it whose migrations are ours.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MIGRATIONS = "migrations"
ROAD = (
    "tests/orders/test_accept.py", "tests/orders/test_links.py", "tests/fulfilment/test_pick_pack_ship.py",
    "tests/tracking/test_page.py", "tests/returns/test_withdrawals.py", "tests/refunds/test_sending.py",
    "tests/mail/test_letters.py", "tests/feedback/test_answers.py",
)  # fmt: skip
"""From the paid order to the money back, with letters and jobs: what must go on meanwhile."""


def main(arguments: list[str]) -> int:
    release = next((one for one in arguments if not one.startswith("tests/")), "") or before()
    tests = [one for one in arguments if one.startswith("tests/")] or [test for test in ROAD if is_in(release, test)]
    print(f"{release}, on the tables of today: {' '.join(tests)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="before-") as folder:
        tree = unpacked(release, Path(folder))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
        environ = {**os.environ, "PYTHONPATH": str(tree)}
        return subprocess.run(command, cwd=tree, env=environ, check=False).returncode


def before() -> str:
    """The newest release, else what stood before the newest migration."""
    tags = git("tag", "--sort=-creatordate", "--merged", "HEAD").split()
    if tags:
        return tags[0]
    newest = max((ROOT / MIGRATIONS / "versions").glob("[0-9]*.py"))
    made = git("log", "--diff-filter=A", "--format=%h", "-1", "--", f"{MIGRATIONS}/versions/{newest.name}").strip()
    return f"{made}~1"


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def is_in(release: str, file: str) -> bool:
    return bool(git("ls-tree", "--name-only", release, "--", file).strip())


def unpacked(release: str, tree: Path) -> Path:
    """The release's files, with the migrations and the compiled words of today."""
    packed = subprocess.run(["git", "archive", release], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tree, filter="data")
    shutil.rmtree(tree / MIGRATIONS)
    shutil.copytree(ROOT / MIGRATIONS, tree / MIGRATIONS, ignore=shutil.ignore_patterns("__pycache__"))
    for words in (ROOT / "portal" / "translations").rglob("*.mo"):
        shutil.copy(words, tree / words.relative_to(ROOT))
    return tree


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
