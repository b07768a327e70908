"""The customer's door: how was it?"""

from flask import Blueprint

bp = Blueprint("feedback", __name__)
