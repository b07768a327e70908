"""The machine's door: orders in by JSON, described in docs/openapi.json."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, request, send_file
from flask.typing import ResponseReturnValue

from portal.adapters.channels import api
from portal.adapters.errors import Malformed
from portal.db import limits
from portal.lib import clock
from portal.orders.actions import accept_order
from portal.orders.flags import problems
from portal.orders.guards import calling_channel
from portal.orders.models import Order

bp = Blueprint("api", __name__, url_prefix="/api/v1")
description = Blueprint("api_description", __name__, url_prefix="/api/v1")
DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.json"
PER_MINUTE = 300


@bp.post("/orders")
def create() -> ResponseReturnValue:
    """201 for a new order, 200 for a known one, 422 with every mistake in it."""
    channel, now = calling_channel(), clock.now()
    if not limits.take("api", channel.code, PER_MINUTE, timedelta(minutes=1), now):
        return problem("Too many orders", f"Send at most {PER_MINUTE} a minute."), 429, {"Retry-After": "5"}
    if request.mimetype != "application/json" or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        abort(415)
    try:
        incoming = api.parse(request.get_data(), channel.code)
    except Malformed as error:
        return problem("This can't be read", f"The body is {error}."), 400
    except api.BadOrder as bad:
        return {
            **problem("The order has mistakes", "See errors."),
            "errors": [asdict(one) for one in bad.mistakes],
        }, 422
    order, new = accept_order(incoming, by="channel", now=now)
    return answer(order), 201 if new else 200


def answer(order: Order) -> dict[str, Any]:
    """What the channel may know of its order; `problems` names what a person should look at."""
    return {
        "ref": order.ref,
        "external_id": order.external_id,
        "number": order.number,
        "state": order.state,
        "promised_on": order.promised_on.isoformat() if order.accepted_at else None,
        "problems": problems(order.id),
    }


def problem(error: str, message: str) -> dict[str, Any]:
    return {"error": error, "message": message}


@description.get("/openapi.json")
def show() -> ResponseReturnValue:
    """The description of this API, for anyone."""
    return send_file(DESCRIPTION, mimetype="application/json")
