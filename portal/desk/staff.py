"""The staff's front page."""

from flask import Blueprint

bp = Blueprint("desk", __name__, url_prefix="/desk")
