"""What is kept in the repository works anywhere: no links to other places, no path of somebody's own machine."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINK = "120000"
"""Git's mode of a symbolic link."""
SOMEBODYS = re.compile(r"(?<![\w./:-])/(?:home|Users|root|work|mnt|media|tmp/[\w.-]+-)/?[\w.-]+/|[A-Z]:\\Users\\\w")
"""A path into the folder of one person or one machine."""


def tracked(folder: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Mode and name of each file that Git keeps; a copy without its history has none."""
    if not (folder / ".git").exists():
        pytest.skip("NOT RUN: this is a copy without its history")
    told = subprocess.run(["git", "ls-files", "-s", "-z"], cwd=folder, capture_output=True, text=True, check=True)
    for entry in told.stdout.split("\0")[:-1]:
        facts, _, name = entry.partition("\t")
        yield facts.partition(" ")[0], name


def paths_in(raw: bytes) -> list[str]:
    return [] if b"\0" in raw else [found[0] for found in SOMEBODYS.finditer(raw.decode("utf-8", "replace"))]


def test_nothing_that_is_kept_is_a_symbolic_link() -> None:
    assert [name for mode, name in tracked() if mode == LINK] == []


def test_no_text_that_is_kept_names_a_folder_of_one_machine() -> None:
    files = [(name, ROOT / name) for _mode, name in tracked()]
    assert len(files) > 500
    found = {name: paths_in(file.read_bytes()) for name, file in files if file.is_file()}
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_both_are_found(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".venv").symlink_to("/")
    subprocess.run(["git", "add", ".venv"], cwd=tmp_path, check=True)
    assert list(tracked(tmp_path)) == [(LINK, ".venv")]
    home = "/" + "home/alice/shop/.venv"
    assert paths_in(f'run "{home}" now'.encode()) == ["/" + "home/alice/"]
    assert paths_in(b"GET /desk/home, https://shop.example/root/x and a work/day") == []
