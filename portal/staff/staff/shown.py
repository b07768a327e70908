"""What is shown once: the picture for the app, and the recovery codes."""

from urllib.parse import quote

from flask import Response, current_app, make_response, render_template

from portal.staff import codes
from portal.staff.forms import AppForm
from portal.staff.models import Staff


def drawn(form: AppForm, person: Staff) -> dict[str, object]:
    """The secret as a picture and in letters. The form carries it sealed: nothing is written before it works."""
    secret = form.secret(person)
    spelt = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return {"picture": codes.picture(secret, person), "spelt": spelt}


def show_codes(made: list[str], target: str) -> Response:
    """The recovery codes, this once; as a file too, which is the page's own link."""
    lines = [current_app.config["SETTINGS"].shop_name, "", *made, ""]
    file = "data:text/plain;charset=utf-8," + quote("\n".join(lines))
    return make_response(render_template("desk/staff/codes.html", codes=made, file=file, target=target))
