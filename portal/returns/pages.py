"""The customer's door: send something back."""

from flask import Blueprint

bp = Blueprint("returns", __name__)
