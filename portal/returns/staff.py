"""The desk's door to returns."""

from flask import Blueprint

bp = Blueprint("desk_returns", __name__, url_prefix="/desk/returns")
