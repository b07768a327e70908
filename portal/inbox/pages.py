"""POST /hooks/<source>: verified on the raw bytes, stored once, answered at once."""

import logging

from flask import Blueprint, abort, current_app, request
from flask.typing import ResponseReturnValue

from portal.inbox import actions
from portal.inbox.sources import SOURCES, Knock, NotGenuine, NotReady, Unreadable
from portal.lib import clock

bp = Blueprint("hooks", __name__, url_prefix="/hooks")
log = logging.getLogger(__name__)


@bp.post("/<source>")
def receive(source: str) -> ResponseReturnValue:
    """200 stored or known before; 401 not genuine; 400 genuine but unreadable; 413 too big; 503 no secret set."""
    if source not in SOURCES:
        abort(404)
    raw = request.get_data(cache=True)
    try:
        envelope = SOURCES[source].open(raw, dict(request.headers), current_app.config["SETTINGS"])
    except NotReady:
        log.error("a message from %s came, but no secret is set to verify it", source)
        return {"error": "not set up"}, 503, {"Retry-After": "300"}
    except NotGenuine as error:
        log.warning("a message from %s was not genuine", source)
        if error.signed:
            actions.count_refusal(source, now=clock.now())
        return {"error": "signature"}, 401
    except Knock:
        return {"status": "heard"}, 200
    except Unreadable:
        return {"error": "unreadable"}, 400
    headers = {name: value for name, value in request.headers if _says_something(name.lower())}
    new = actions.receive(
        source, envelope.external_id, raw, now=clock.now(), topic=envelope.topic, headers=headers,
        handle=SOURCES[source].handle, alone=True,
    )  # fmt: skip
    return {"status": "known" if new is None else "stored"}, 200


def _says_something(header: str) -> bool:
    """The sender's own headers are kept, those of proxies on the way are not."""
    return header.startswith(("x-", "shopify-")) and not header.startswith(("x-forwarded-", "x-real-"))
