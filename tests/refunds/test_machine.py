"""Many ways for money to go wrong at once (tests/refunds/machine.py): a few in the suite, more by `make machine`."""

from flask import Flask

from portal.demo.stripe import StandIn
from tests.refunds.machine import MoneyBack
from tests.stage import Line, line, run  # noqa: F401  a fixture
from tests.world import World


def test_money_goes_back_once_whatever_happens(app: Flask, world: World, stand_in: StandIn, line: Line) -> None:  # noqa: F811
    run(lambda: MoneyBack(app, stand_in, line), examples=6, steps=20)
