"""The customer's front page."""

from flask import Blueprint

bp = Blueprint("tracking", __name__)
