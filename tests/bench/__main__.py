"""`python -m tests.bench`: measure what comes in, beside a bare loop that inserts the same rows; write it down."""

import argparse
from pathlib import Path

from tests.bench.measure import measured
from tests.bench.report import written


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--pieces", type=int, default=100, help="orders, and courier events, per round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, A B A B")
    parser.add_argument("--to", type=Path, default=Path("docs/performance.md"))
    given = parser.parse_args()
    results = measured(given.pieces, given.rounds)
    given.to.write_text(written(results, given.pieces, given.rounds), encoding="utf-8")
    for result in results:
        print(f"{result.what}: {result.ours:.0f}/s beside {result.bare:.0f}/s of bare inserts")


if __name__ == "__main__":
    main()
