"""The desk's door to the reasons for returns, and to what the shop tells of its articles."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_wtf import FlaskForm

from portal.config import LANGUAGES
from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.returns import articles, reasons
from portal.returns.articles import Mistake
from portal.returns.reasons import ReturnReason
from portal.returns.reasons_forms import ASKED, ArticlesForm, new_reason_form, reason_form

bp = Blueprint("desk_reasons", __name__, url_prefix="/desk")


@bp.get("/return-reasons")
@requires("returns.policy")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("/return-reasons")
@requires("returns.policy")
def add() -> ResponseReturnValue:
    form = new_reason_form(_groups())
    if not form.validate():
        return _page(new=form), 422

    def make() -> None:
        row = reasons.add_reason(form.group.data or "", form.labels())
        reasons.change_reason(row, labels=form.labels(), **form.asks())

    return _do(make, new=form)


@bp.post("/return-reasons/<int:id>")
@requires("returns.policy")
def change(id: int) -> ResponseReturnValue:
    row = _find(id)
    form = reason_form(row)
    if not form.validate():
        return _page(changed={id: form}), 422
    return _do(lambda: reasons.change_reason(row, labels=form.labels(), **form.asks()), changed={id: form})


@bp.post("/return-reasons/<int:id>/retirement")
@requires("returns.policy")
def retire(id: int) -> ResponseReturnValue:
    row = _find(id)
    return _do(lambda: reasons.retire_reason(row, now=clock.now()))


@bp.post("/return-reasons/<int:id>/comeback")
@requires("returns.policy")
def bring_back(id: int) -> ResponseReturnValue:
    row = _find(id)
    return _do(lambda: reasons.bring_back_reason(row))


def _find(id: int) -> ReturnReason:
    return session.get(ReturnReason, id) or abort(404)


def _groups() -> dict[str, str]:
    known = reasons.all_reasons().values()
    return {one.code: one.label for one in known if not one.group and one.retired_at is None}


def _do(act: Callable[[], object], **forms: Any) -> ResponseReturnValue:
    try:
        act()
    except Refused as refused:
        session.rollback()
        return _page(refusal=refused.message, **forms), 409
    flash(_("Saved. Customers see it from now on."), "good")
    return redirect(url_for(".index"), 303)


def _page(new: object = None, changed: dict[int, FlaskForm] | None = None, refusal: str = "") -> str:
    rows = reasons.rows()
    forms = {row.id: (changed or {}).get(row.id) or reason_form(row, formdata=None) for row in rows}
    return render_template(
        "desk/policy/reasons.html", rows=rows, forms=forms, new=new or new_reason_form(_groups(), formdata=None),
        label=reasons.label, refusal=refusal, languages=LANGUAGES, asked=ASKED, types=articles.types(),
    )  # fmt: skip


# --- articles ---------------------------------------------------------------------------------------------------------


@bp.get("/articles")
@requires("returns.policy")
def show_articles() -> ResponseReturnValue:
    return _articles()


@bp.post("/articles/imports")
@requires("returns.policy")
def upload() -> ResponseReturnValue:
    """All rows of the file or none: with a mistake in it nothing changes."""
    form = ArticlesForm()
    if not form.validate():
        return _articles(form=form), 422
    try:
        text = form.file.data.read().decode()
    except UnicodeDecodeError:
        return _articles(mistakes=[Mistake(1, _("Save the file as UTF-8."))]), 422
    rows, mistakes = articles.read_sheet(text)
    if mistakes or not rows:
        return _articles(mistakes=mistakes or [Mistake(2, _("There is no article in this file."))]), 422
    many = articles.import_articles(rows)
    flash(ngettext("%(num)s article was taken over.", "%(num)s articles were taken over.", many), "good")
    return redirect(url_for(".show_articles"), 303)


def _articles(form: ArticlesForm | None = None, mistakes: list[Mistake] | None = None) -> str:
    words = request.args.get("q", "")[:100].strip()
    page = articles.search(words, request.args.get("page", ""))
    return render_template(
        "desk/policy/articles.html", page=page, q=words, total=articles.count(),
        form=form or ArticlesForm(formdata=None), mistakes=mistakes or [], columns=articles.COLUMNS,
    )  # fmt: skip
