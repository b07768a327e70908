"""The desk's door to the rules that open cases."""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.feedback import case_models, case_rules
from portal.feedback.case_rules import CaseRule
from portal.feedback.case_rules_forms import CaseRuleForm, form_of
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.returns.reasons import all_reasons
from portal.staff.guards import current_staff
from portal.staff.words import DEPARTMENT

bp = Blueprint("desk_case_rules", __name__, url_prefix="/desk/cases/rules")
BLANK = "blank"


@bp.get("")
@requires("cases.set")
def index() -> ResponseReturnValue:
    rules = case_rules.current_rules()
    opened = {rule.code: len(_would_open(rule)) for rule in rules}
    return render_template(
        "desk/feedback/rules.html", rules=rules, opened=opened, words=case_rules, departments=DEPARTMENT
    )


def _would_open(rule: CaseRule) -> list[object]:
    zone = current_app.config["SETTINGS"].shop_timezone
    return [*case_rules.would_open(rule, now=clock.now(), zone=zone)]


@bp.get("/<rule>")
@requires("cases.set")
def show(rule: str) -> ResponseReturnValue:
    found = case_rules.versions(rule)
    if rule != BLANK and not found:
        abort(404)
    return _page(rule, form_of(found[0]) if found else CaseRuleForm(formdata=None))


def _page(code: str, form: CaseRuleForm, opened: list[object] | None = None) -> str:
    _offer(form)
    return render_template(
        "desk/feedback/rule.html", form=form, code=code, opened=opened, versions=case_rules.versions(code),
        shown=case_rules.SHOWN, departments=DEPARTMENT, words=case_rules,
    )  # fmt: skip


def _offer(form: CaseRuleForm) -> None:
    people = [(person.id, person.name) for person in case_models.people_for_cases()]
    form.reason.choices = [("", "–"), *[(one.code, one.label) for one in all_reasons().values() if one.group]]
    form.owner.choices = [(0, _("Who answers for the department")), *people]


@bp.post("/<rule>")
@requires("cases.set")
def keep(rule: str) -> ResponseReturnValue:
    """Two buttons: one only shows what the rule would have opened, the other sets it."""
    if rule != BLANK and not case_rules.versions(rule):
        abort(404)
    form = CaseRuleForm()
    _offer(form)
    if not form.validate():
        return _page(rule, form), 422
    if request.form.get("look"):
        return _page(rule, form, _would_open(CaseRule(code="", **form.values())))
    try:
        case_rules.set_rule(rule, form.values(), by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form.form_errors.append(refused.message)
        return _page(rule, form), 409
    flash(_("Saved as a new version. It holds from now on; open cases stay as they are."), "good")
    return redirect(url_for(".index"), 303)
