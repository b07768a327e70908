"""The machine's door: orders in by JSON."""

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/api/v1")
