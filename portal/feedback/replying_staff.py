"""The desk's door to answers: words, building blocks, and what goes with them, shown before it is sent."""

from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.feedback import acts, case_models, cases, cause_models, snippets
from portal.feedback.acts import Act
from portal.feedback.case_models import Case
from portal.feedback.cause_forms import OfCaseForm
from portal.feedback.forms import OwnerForm, ReplyForm
from portal.feedback.rules import SCORES
from portal.feedback.story import story_of
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.lib.money import Money, NotMoney, to_minor
from portal.staff.guards import current_staff

bp = Blueprint("desk_replies", __name__, url_prefix="/desk/cases")


def find(id: int) -> Case:
    return case_models.find_case(id) or abort(404)


def page(case: Case, form: ReplyForm, told: dict[str, Any] | None = None) -> str:
    """The case with its story; `told` is what would go with the answer that stands in the form."""
    zone, cause, of_case = current_app.config["SETTINGS"].zone, cause_models.cause_of(case.id), cause_form()
    of_case.cause.data = cause.id if cause else 0
    return render_template(
        "desk/feedback/show.html", case=case, form=offer(case, form), owner=owner_form(case), scores=SCORES, told=told,
        told_amount=Money(told["amount"], told["currency"]) if told and "amount" in told else None,
        story=story_of(case.order, current_staff().locale, zone, now=clock.now()), cause=cause, of_case=of_case,
        cause_name=cause_models.names_of([cause])[0] if cause else "",
    )  # fmt: skip


def offer(case: Case, form: ReplyForm) -> ReplyForm:
    """What may go with an answer here, and the building blocks in the customer's language."""
    form.kind.choices = list(acts.kinds_for(current_staff()).items())
    form.line.choices = [(line.id, line.title) for line in case.order.lines if line.paid]
    form.article.choices = [(row.id, row.line.title) for row in acts.replaceable(case.order)]
    form.line.validate_choice = form.article.validate_choice = False
    form.snippet.choices = snippets.for_case(case)
    return form


def owner_form(case: Case) -> OwnerForm:
    form = OwnerForm(formdata=None, owner=case.owner_id, instead_of=case.owner_id)
    form.owner.choices = people()
    return form


def cause_form() -> OfCaseForm:
    """Which of the open causes the case came of."""
    form, causes = OfCaseForm(), cause_models.open_causes()
    names = cause_models.names_of(causes)
    form.cause.choices = [(0, "–"), *((cause.id, name) for cause, name in zip(causes, names, strict=True))]
    return form


def people() -> list[tuple[int, str]]:
    return [(person.id, person.name) for person in case_models.people_for_cases()]


@bp.post("/<int:id>/messages")
@requires("cases.work")
def reply(id: int) -> ResponseReturnValue:
    case = find(id)
    form = offer(case, ReplyForm())
    try:
        if request.form.get("insert"):
            return page(case, _with_block(case, form))
        if not form.validate():
            return page(case, form), 422
        act = _act(case, form)
        if act and form.sure.data != act.mark:
            return _shown(case, form, act)
        how: dict[str, Any] = {"asks": form.asks.data, "seen": form.seen.data or 0, "act": act}
        cases.reply(case, form.words.data, **how, by=current_staff(), now=clock.now())
    except Refused as refused:
        return _refused(id, form, refused)
    flash(_("Your answer is on its way to the customer."), "good")
    return redirect(url_for("desk_cases.show", id=id), 303)


def _with_block(case: Case, form: ReplyForm) -> ReplyForm:
    block = snippets.words_for(case, form.snippet.data or 0)
    form.words.data = "\n\n".join(filter(None, (form.words.data, block)))
    return form


def _act(case: Case, form: ReplyForm) -> Act | None:
    """What is to go with the answer; nothing for words alone."""
    kind = form.kind.data or ""
    if not kind:
        return None
    if kind == "replacement":
        return Act(kind, form.article.data or 0, pieces=form.pieces.data or 0)
    try:
        amount = to_minor((form.amount.data or "").strip().replace(",", "."), case.order.currency)
    except NotMoney:
        raise Refused(_("Write the amount like 12.50.")) from None
    return Act(kind, form.line.data or 0, amount)


def _shown(case: Case, form: ReplyForm, act: Act) -> ResponseReturnValue:
    """Nothing is done yet: the page says what would be."""
    told = acts.check(case, act, by=current_staff())
    form.sure.data, form.sure.raw_data = act.mark, None
    return page(case, form, told)


def _refused(id: int, form: ReplyForm, refused: Refused) -> ResponseReturnValue:
    """The page as it is now, with what was typed: to be sent again once the news is read."""
    session.rollback()
    case = find(id)
    form.seen.data, form.seen.raw_data = case.last_message_id, None
    form.sure.data, form.sure.raw_data = "", None
    form.form_errors.append(refused.message)
    return page(case, form), 409
