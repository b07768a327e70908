"""Who was forgotten, kept beside the database and its copies, by the orders' references and nothing else.

A copy from before knows them again: `portal restore` reads this and forgets them once more.
"""

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path


def note(file: Path, refs: Sequence[str], *, now: datetime) -> None:
    """Write it down before anything is erased, and make sure that it is on the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as ledger:
        ledger.write(json.dumps({"at": now.isoformat(), "orders": list(refs)}) + "\n")
        ledger.flush()
        os.fsync(ledger.fileno())


def refs(file: Path) -> list[str]:
    """All references that were ever noted; a line that a crash cut off is skipped: its erasure had not begun."""
    found: list[str] = []
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            found += json.loads(line)["orders"]
        except ValueError:
            continue
    return found
