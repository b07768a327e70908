"""The desk's door to the keys with which shops' own systems send us orders: for admins."""

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import fresh, requires
from portal.orders import keys
from portal.orders.keys_forms import KeyForm
from portal.staff.guards import current_staff

bp = Blueprint("desk_keys", __name__, url_prefix="/desk/keys")


@bp.get("")
@requires("keys.manage")
def index() -> ResponseReturnValue:
    return _page(KeyForm(formdata=None))


def _page(form: KeyForm, refusal: str = "") -> str:
    return render_template("desk/keys/index.html", rows=keys.all_keys(), form=form, refusal=refusal)


@bp.post("")
@requires("keys.manage")
@fresh
def make() -> ResponseReturnValue:
    """The answer itself shows the key: nothing that could be asked for again does."""
    form = KeyForm()
    if not form.validate():
        return _page(form), 422
    try:
        secret = keys.make_key(form.shop.data, form.name.data, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(form, refused.message), 409
    return render_template("desk/keys/made.html", secret=secret, shop=form.shop.data, name=form.name.data), 201


@bp.post("/<int:id>/revocation")
@requires("keys.manage")
@fresh
def revoke(id: int) -> ResponseReturnValue:
    key = session.get(keys.ApiKey, id) or abort(404)
    try:
        keys.revoke(key, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(KeyForm(formdata=None), refused.message), 409
    flash(_("%(name)s opens nothing any more.", name=key.name), "good")
    return redirect(url_for(".index"), 303)
