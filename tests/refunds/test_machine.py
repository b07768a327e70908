"""Many ways for money to go wrong at once (tests/refunds/machine.py): a few in the suite, more by `make machine`."""

import os
from datetime import timedelta

import pytest
import stripe as sdk
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from portal.demo.stripe import StandIn
from tests.refunds.machine import Line, MoneyBack
from tests.standin import KEY, SECRET
from tests.world import World

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "6"))
STEPS = int(os.environ.get("MACHINE_STEPS", "20"))


@pytest.fixture
def line(app: Flask, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Line:
    """The portal's key leads to the stand-in's core, not to a network."""
    line = Line(stand_in)
    monkeypatch.setattr(stand_in.book, "_keep", lambda: None)
    monkeypatch.setattr(sdk.RequestsClient, "request", lambda *given: line.request(*given))
    update = {"stripe_api_key": KEY, "stripe_api_base": "http://127.0.0.1:1", "stripe_webhook_secret": SECRET}
    monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update=update))
    return line


def test_money_goes_back_once_whatever_happens(app: Flask, world: World, stand_in: StandIn, line: Line) -> None:
    how = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=timedelta(seconds=60),
        derandomize="MACHINE_SHRINK" not in os.environ,
        database=None,
        phases=(Phase.generate, Phase.shrink) if os.environ.get("MACHINE_SHRINK") else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(lambda: MoneyBack(app, stand_in, line), settings=how)
