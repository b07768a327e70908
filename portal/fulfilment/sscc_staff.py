"""The desk's door to the numbers on labels: the shop's GS1 prefix, when it has one."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from portal.db import session
from portal.fulfilment import sscc
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.staff.guards import current_staff

bp = Blueprint("desk_sscc", __name__, url_prefix="/desk/label-numbers")


class PrefixForm(FlaskForm):
    prefix = StringField(_l("GS1 company prefix"), [InputRequired(_l("The digits, please.")), Length(max=20)])
    last_number = IntegerField(
        _l("Last number used so far"),
        [InputRequired(_l("0 when none was used yet.")), NumberRange(0, message=_l("0 when none was used yet."))],
        default=0,
    )


@bp.get("")
@requires("promise.set")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("")
@requires("promise.set")
def choose() -> ResponseReturnValue:
    """Labels bear a number under this prefix from now on."""
    form = PrefixForm()
    if not form.validate():
        return _page(form), 422
    try:
        sscc.choose(form.prefix.data.strip(), form.last_number.data, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(form, refused.message), 409
    return redirect(url_for(".index"), 303)


@bp.post("/removal")
@requires("promise.set")
def stop() -> ResponseReturnValue:
    sscc.stop()
    return redirect(url_for(".index"), 303)


def _page(form: PrefixForm | None = None, refusal: str = "") -> str:
    known = sscc.in_use()
    blank = PrefixForm(formdata=None, obj=known) if known else PrefixForm(formdata=None)
    return render_template(
        "desk/labels/index.html", known=known, form=form or blank, spelled=sscc.spelled, refusal=refusal
    )
