"""Many ways for goods and money to go back at once (machine.py, choosing.py); more of them by `make machine`."""

from flask import Flask

from portal.demo.stripe import StandIn
from tests.returns.choosing import GoodsBackByChoice
from tests.stage import Line, line, run  # noqa: F401  a fixture
from tests.standin import stand_in  # noqa: F401  a fixture
from tests.world import World


def test_goods_and_money_add_up_whatever_happens(app: Flask, world: World, stand_in: StandIn, line: Line) -> None:  # noqa: F811
    run(lambda: GoodsBackByChoice(app, stand_in, line), examples=5, steps=25)
