"""The desk's door to money."""

from flask import Blueprint

bp = Blueprint("desk_refunds", __name__, url_prefix="/desk/refunds")
