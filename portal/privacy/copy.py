"""The customer's copy of all that is known of them: one file for programs, one to be read (GDPR Art. 15 and 20)."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import render_template
from flask_babel import lazy_gettext as _l

from portal.db import session
from portal.db.personal import Ids
from portal.orders.models import Order
from portal.pictures.models import sent_pictures
from portal.privacy.models import everything
from portal.returns.signals import signals

TABLES: Mapping[str, Any] = {
    "customers": _l("You"),
    "orders": _l("Orders"),
    "order_lines": _l("What you bought"),
    "payments": _l("What you paid"),
    "order_changes": _l("Changes that came from the shop"),
    "channel_refunds": _l("Money given back in the shop"),
    "parcels": _l("Parcels"),
    "courier_events": _l("What couriers told"),
    "back_parcels": _l("Parcels that came back"),
    "own_labels": _l("How they came back"),
    "label_purchases": _l("Labels"),
    "promise_breaks": _l("Days that we could not keep"),
    "pictures": _l("Pictures"),
    "returns": _l("Returns"),
    "return_lines": _l("What you sent back, and why"),
    "return_overrides": _l("Where we decided in your favour against a rule of ours"),
    "claims": _l("What was wrong"),
    "claim_messages": _l("What was written about it"),
    "inspections": _l("What we found"),
    "refunds": _l("Money back"),
    "credit_notes": _l("Credit notes"),
    "withdrawals": _l("Withdrawals"),
    "store_credits": _l("Store credit"),
    "credit_entries": _l("What became of store credit"),
    "survey_invitations": _l("Questions we asked you"),
    "survey_consents": _l("That we may ask you by mail"),
    "answers": _l("Your answers"),
    "answer_stars": _l("Your stars"),
    "cases": _l("Cases"),
    "case_messages": _l("What was written"),
    "case_attachments": _l("What came with your mails"),
    "signs": _l("What our staff is shown before they decide; it decides nothing by itself"),
    "letters": _l("Mails to you"),
    "looks": _l("Who of our staff looked at your orders"),
    "links": _l("Links in our mails"),
    "codes": _l("Codes you asked for"),
}
"""In the order in which people read; names of tables are for programs."""


def packed(ids: Ids, *, now: datetime) -> bytes:
    """A ZIP file with data.json, in the reader's language data.html, and all pictures."""
    known = {**everything(ids), **noted_about(ids, now=now)}
    paper = io.BytesIO()
    with zipfile.ZipFile(paper, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data.json", json.dumps({"made_at": now, **known}, default=_plain, ensure_ascii=False, indent=2))
        sections = [(TABLES[name], known[name]) for name in TABLES if name in known]
        file.writestr("data.html", render_template("privacy/copy.html", sections=sections, made_at=now, plain=spelled))
        for picture in sent_pictures(ids):
            file.writestr(f"pictures/{picture.name}", picture.content, zipfile.ZIP_STORED)
    return paper.getvalue()


def noted_about(ids: Ids, *, now: datetime) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The signs that staff see, as they are now: they are kept nowhere."""
    found = [sign for order in ids[-1:] for sign in signals(session.get_one(Order, order), now=now, orders=ids)]
    return {"signs": [{"sign": sign.code, "why": sign.why} for sign in found]} if found else {}


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def spelled(value: Any) -> str:
    """A value as the file to be read shows it."""
    if isinstance(value, dict):
        return ", ".join(str(part) for part in value.values() if part)
    if isinstance(value, list):
        return "; ".join(spelled(part) for part in value)
    return "" if value is None else value.isoformat(" ", "minutes") if isinstance(value, datetime) else str(value)
