"""The desk's door to parcels."""

from flask import Blueprint

bp = Blueprint("desk_parcels", __name__, url_prefix="/desk/parcels")
