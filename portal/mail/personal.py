"""What letters know of customers: all that was written to them."""

from collections.abc import Mapping
from typing import Any

from portal.db.personal import Kept
from portal.mail.models import Letter

RECEIPT = "erased"
"""The last letter of all, which says what was forgotten: it stays until it has left."""
WIPED: Mapping[str, Any] = {"to_address": "", "subject": "", "html": "", "text": "", "headers": {}, "error": None}
KEPT = (
    Kept(
        Letter,
        lambda ids: Letter.order_id.in_(ids) & (Letter.kind != RECEIPT),
        shown=("kind", "to_address", "subject", "text", "created_at", "sent_at", "state"),
        taken=WIPED,
        stays=("kind", "about", "once", "locale", "message_id", "state"),
    ),
)
