"""The desk's door to the people: for admins."""

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import fresh, requires
from portal.staff import actions, journal, people, sessions, words
from portal.staff.forms import InvitationForm, RoleForm
from portal.staff.guards import current_staff
from portal.staff.models import Staff
from portal.staff.rules import Role

bp = Blueprint("desk_people", __name__, url_prefix="/desk/people")


@bp.get("")
@requires("staff.manage")
def index() -> ResponseReturnValue:
    return listed(InvitationForm(formdata=None))


def listed(form: InvitationForm, refusal: str = "") -> str:
    return render_template(
        "desk/staff/people.html", form=form, everybody=people.everybody(), words=words, refusal=refusal
    )


@bp.post("")
@requires("staff.manage")
@fresh
def invite() -> ResponseReturnValue:
    form = InvitationForm()
    if not form.validate():
        return listed(form), 422
    try:
        person = people.invite(
            form.email.data, form.name.data.strip(), Role(form.role.data), by=current_staff(), now=clock.now()
        )
    except Refused as refused:
        return listed(form, refused.message), 409
    flash(_("%(name)s gets a letter with a link that works once.", name=person.name), "good")
    return redirect(url_for(".index"), 303)


@bp.get("/journal")
@requires("staff.manage")
def show_journal() -> ResponseReturnValue:
    rows, more = journal.page_of(request.args.get("before", type=int))
    return render_template("desk/staff/journal.html", rows=rows, more=more, kinds=journal.KINDS)


@bp.get("/<int:id>")
@requires("staff.manage")
def show(id: int) -> ResponseReturnValue:
    return page(find(id))


def find(id: int) -> Staff:
    return session.get(Staff, id) or abort(404)


def page(person: Staff, form: RoleForm | None = None, refusal: str = "") -> str:
    return render_template(
        "desk/staff/person.html",
        person=person,
        state=people.state_of(person),
        protected=actions.has_second_factor(person),
        form=form or RoleForm(formdata=None, role=person.role),
        sessions=sessions.sessions_of(person, now=clock.now()),
        events=journal.page_of(None, person.id)[0],
        kinds=journal.KINDS,
        words=words,
        refusal=refusal,
    )


def do(id: int, act: Callable[[Staff], None], done: str) -> ResponseReturnValue:
    """Act and show the person again: 303 done, 409 with the reason."""
    person = find(id)
    try:
        act(person)
    except Refused as refused:
        session.rollback()
        return page(find(id), refusal=refused.message), 409
    flash(done, "good")
    return redirect(url_for(".show", id=id), 303)


@bp.post("/<int:id>/role")
@requires("staff.manage")
@fresh
def change_role(id: int) -> ResponseReturnValue:
    form, me = RoleForm(), current_staff()
    if not form.validate():
        return page(find(id), form), 422
    role = Role(form.role.data)
    return do(id, lambda person: people.change_role(person, role, by=me, now=clock.now()), _("The role is changed."))


@bp.post("/<int:id>/closure")
@requires("staff.manage")
@fresh
def shut_out(id: int) -> ResponseReturnValue:
    me = current_staff()
    return do(id, lambda person: people.shut_out(person, by=me, now=clock.now()), _("Shut out, with the next click."))


@bp.post("/<int:id>/reinstatement")
@requires("staff.manage")
@fresh
def let_in(id: int) -> ResponseReturnValue:
    me = current_staff()
    return do(id, lambda person: people.let_in(person, by=me, now=clock.now()), _("Let in again."))


@bp.post("/<int:id>/sessions/closure")
@requires("staff.manage")
@fresh
def end_sessions(id: int) -> ResponseReturnValue:
    me = current_staff()
    return do(
        id, lambda person: people.sign_out_everywhere(person, by=me, now=clock.now()), _("Signed out everywhere.")
    )


@bp.post("/<int:id>/link")
@requires("staff.manage")
@fresh
def send_link(id: int) -> ResponseReturnValue:
    me = current_staff()
    return do(
        id, lambda person: people.send_link(person, by=me, now=clock.now()), _("A letter with a link is on its way.")
    )


@bp.post("/<int:id>/second-factor/reset")
@requires("staff.manage")
@fresh
def reset_second_factor(id: int) -> ResponseReturnValue:
    me = current_staff()
    return do(
        id,
        lambda person: people.reset_second_factor(person, by=me, now=clock.now()),
        _("The second factor is gone. The next sign-in sets up a new one."),
    )
