"""`python -m tests.bench`: everything that must be fast, each beside what it is to be compared with; written down."""

import argparse
import gzip
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench import answers, desk, measure, pages, report, shop, work
from tests.bench.history import FULL_PAGES
from tests.bench.report import Row
from tests.conftest import ROOT

FEW_ANSWERS = 1_000


@dataclass(frozen=True)
class Given:
    """How much is measured."""

    small: int
    big: int
    rounds: int
    seconds: float
    pieces: int
    answers: int
    keep: bool
    flat: bool
    to: Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="orders in the small shop")
    parser.add_argument("--big", type=int, default=1_000_000, help="orders in the big shop")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, A B A B")
    parser.add_argument("--seconds", type=float, default=4, help="how long wrk asks in each round")
    parser.add_argument("--pieces", type=int, default=100, help="orders, events, letters per round")
    parser.add_argument("--answers", type=int, default=1_000_000, help="answers in the shop that has many")
    parser.add_argument("--keep", action="store_true", help="leave the big shop's database for the next time")
    parser.add_argument("--flat", action="store_true", help="only what must stay the same as a shop grows")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "performance.md")
    given = Given(**vars(parser.parse_args()))
    try:
        pages.look_for_wrk()
    except pages.NoWrk as missing:
        raise SystemExit(str(missing)) from None
    given.to.write_text(measured(given), encoding="utf-8")
    print(given.to.read_text("utf-8"))


def measured(given: Given) -> str:
    """The whole page. Says on the way what it is doing: it takes some minutes."""
    load = os.getloadavg()[0]
    print(f"Filling two shops with {given.small} and {given.big} orders ...", flush=True)
    with ExitStack() as stack:
        small = stack.enter_context(shop.database(given.small, FULL_PAGES))
        big, server = _big(given, stack), shop.version(small)
        moved, told = ([], []) if given.flat else _coming_and_going(small, given)
        with shop.portal_web(small, given.small) as few, shop.portal_web(big, given.big) as many:
            print("The desk ...", flush=True)
            at_desk = _desk(small, big, few, many, given)
            print("Pages ...", flush=True)
            with shop.floor_web(big, given.big) as floor:
                pages_rows, facts = _pages(few, many, floor, given)
    rows = [*pages_rows, *moved, _slowest(at_desk, given), *([] if given.flat else _insight(given))]
    command = " ".join(["python -m tests.bench", *sys.argv[1:]]) if sys.argv[1:] else "make bench"
    return report.written(rows, at_desk, [*facts, *told], command=command, load=load, server=server)


def _big(given: Given, stack: ExitStack) -> str:
    if given.keep:
        return shop.kept_database(given.big, FULL_PAGES)
    return stack.enter_context(shop.database(given.big, FULL_PAGES))


def _coming_and_going(url: str, given: Given) -> tuple[list[Row], list[str]]:
    """What comes in, and letters."""
    print("What comes in ...", flush=True)
    found = measure.measured(given.pieces, given.rounds)
    rows = [Row(one.what, one.beside, one.ours / one.bare, one.wanted) for one in found]
    print("Letters ...", flush=True)
    letters, empty = (median(rounds) for rounds in work.letters_beside_nothing(url, given.rounds, given.pieces))
    rows.append(Row("letters", "Procrastinate's job that does nothing", letters / empty, 0.6))
    return rows, [_in_numbers(found, letters, empty)]


def _insight(given: Given) -> list[Row]:
    print("What customers say ...", flush=True)
    return [_most_grown(answers.measured(FEW_ANSWERS, given.answers, 3 * given.rounds), given)]


def _in_numbers(found: Sequence[measure.Result], letters: float, empty: float) -> str:
    """For the arithmetic of docs/scale.md: what one process did, which is no claim."""
    each = "; ".join(f"{one.what}, {one.ours:,.0f}" for one in found)
    return f"One process, a second: {each}; letters, {letters:,.0f}; jobs that do nothing, {empty:,.0f}."


def _slowest(at_desk: list[report.Both], given: Given) -> Row:
    name, small, big = max(at_desk, key=lambda page: page[2] / page[1])
    beside = f"{given.big:,} orders beside {given.small:,}"
    return Row(f"desk: the page that grows most ({name})", beside, big / small, 1.5, higher=False)


def _most_grown(insight: Mapping[str, tuple[float, float]], given: Given) -> Row:
    name, (few, many) = max(insight.items(), key=lambda page: page[1][1] / page[1][0])
    beside = f"{given.answers:,} answers beside {FEW_ANSWERS:,}"
    return Row(f"insight: the page that grows most ({name})", beside, many / few, 1.5, higher=False)


def _desk(small: str, big: str, few: shop.Server, many: shop.Server, given: Given) -> list[report.Both]:
    took = desk.beside_each_other((few, shop.at_the_desk(small)), (many, shop.at_the_desk(big)), 6 * given.rounds)
    return [(name, *found) for name, found in took.items()]  # type: ignore[misc]


def _pages(few: shop.Server, many: shop.Server, floor: shop.Server, given: Given) -> tuple[list[Row], list[str]]:
    contest = [
        pages.Contestant("page", many, pages.readers(many)),
        pages.Contestant("floor", floor, pages.readers(floor)),
        pages.Contestant("small", few, pages.readers(few)),
        pages.Contestant("held", many, pages.holders(many)),
    ]
    found = {name: median(rounds) for name, rounds in pages.in_turns(contest, given.rounds, given.seconds).items()}
    rows = [
        Row("tracking page, from the cookie, nothing cached", "the floor", found["page"] / found["floor"], 1.0),
        Row("the same", f"itself with {few.orders:,} orders", found["page"] / found["small"], 0.9),
        Row("page unchanged since the last look", "the full page", found["held"] / found["page"], 3.0),
    ]
    a_second = f"In this run {len(many.memory())} web processes answered {found['page']:,.0f} tracking pages a second."
    return rows, [*_facts(many, floor), a_second]


def _facts(many: shop.Server, floor: shop.Server) -> list[str]:
    line, (path, headers) = many.connect(), pages.readers(many)[0]
    line.request("GET", path, headers=dict(headers))
    page = line.getresponse().read()
    each = [size / 1e6 for size in many.memory()]
    return [
        f"A tracking page is {len(page):,} bytes, {len(gzip.compress(page)):,} compressed, and asks one statement.",
        f"`portal web` answers {many.began:.1f} s after its start, the floor {floor.began:.1f} s.",
        f"Each of {len(each)} web processes holds {min(each):.0f} to {max(each):.0f} MB of its own after the run.",
        f"What an image holds beside Python: {shop.image_files() / 1e6:.0f} MB (here with the tools for development).",
    ]


if __name__ == "__main__":
    main()
