"""The desk's door to building blocks for answers."""

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.feedback import snippets
from portal.feedback.forms import SnippetForm
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.staff.guards import current_staff

bp = Blueprint("desk_snippets", __name__, url_prefix="/desk/cases/snippets")


@bp.get("")
@requires("cases.work")
def index() -> ResponseReturnValue:
    return _page(SnippetForm(formdata=None))


def _page(form: SnippetForm) -> str:
    return render_template("desk/feedback/snippets.html", form=form, snippets=snippets.all_snippets())


@bp.post("")
@requires("cases.work")
def keep() -> ResponseReturnValue:
    form = SnippetForm()
    if not form.validate():
        return _page(form), 422
    said = (form.language.data, form.name.data, form.words.data)
    try:
        snippets.keep(*said, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form.form_errors.append(refused.message)
        return _page(form), 409
    flash(_("Saved. It can be put into every answer in this language."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/<int:id>/removal")
@requires("cases.work")
def remove(id: int) -> ResponseReturnValue:
    if not snippets.remove(id):
        abort(404)
    flash(_("Removed."), "good")
    return redirect(url_for(".index"), 303)
