"""The desk's door to cases."""

from flask import Blueprint

bp = Blueprint("desk_cases", __name__, url_prefix="/desk/cases")
