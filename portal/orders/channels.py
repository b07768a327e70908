"""Channels: where orders come from, and the key of those that send them to us."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy.dialects.postgresql import insert

from portal.db import session
from portal.lib.errors import Refused
from portal.lib.tokens import digest, mint
from portal.orders.models import Channel


def add_channel(name: str, *, now: datetime) -> str:
    """Open the API to a shop and return its key, kept only as a hash. Raises Refused for a name that is taken."""
    key = mint()
    values = {"code": f"api:{name}", "kind": "api", "name": name, "key_digest": digest(key), "created_at": now}
    once = insert(Channel).values(values).on_conflict_do_nothing(index_elements=["code"]).returning(Channel.id)
    if session.scalar(once) is None:
        raise Refused(_("There is a channel called %(name)s already.", name=name))
    return key
