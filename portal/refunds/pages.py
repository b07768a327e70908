"""The customer's door to their credit notes: whoever has shown that they read the order's mail may have them."""

from flask import Blueprint, Response, abort
from flask.typing import ResponseReturnValue

from portal.lib.guards import opens
from portal.orders.guards import opened
from portal.orders.links import Tier
from portal.refunds.credit_note_paper import credit_note
from portal.refunds.credit_notes import find_note

bp = Blueprint("credit_notes", __name__)


@bp.get("/orders/<ref>/credit-notes/<int:number>.pdf")
@opens("track", Tier.owns)
def paper(ref: str, number: int) -> ResponseReturnValue:  # noqa: ARG001  the guard has looked at it
    """Only papers of the order that the link opened; 404 for all others."""
    note = find_note(number, opened().order_id) or abort(404)
    name = f'inline; filename="{note.called}.pdf"'
    return Response(credit_note(note), mimetype="application/pdf", headers={"Content-Disposition": name})
