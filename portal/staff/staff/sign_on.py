"""The door for who comes from the shop's own sign-in. It waits for the provider, with no transaction open."""

from flask import Blueprint, abort, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal import db
from portal.adapters import sign_on as adapter
from portal.adapters.errors import Permanent, Trouble
from portal.lib import clock
from portal.lib.errors import Refused
from portal.staff import browsers, sessions, sign_on
from portal.staff.forms import SignInForm
from portal.staff.guards import cookie_name, keep, local
from portal.staff.staff.door import show_sign_in

bp = Blueprint("sign_on", __name__, url_prefix="/desk/sign-in/single")
HELD, NEXT = "sign-on", "sign-on-next"
"""Where the browser's signed cookie keeps its half of the question, and where it was going."""


@bp.post("")
def begin() -> ResponseReturnValue:
    """A page that leads on: a form of ours that was sent elsewhere would be stopped by our own policy."""
    provider = _provider()
    try:
        asked = sign_on.ask(address=db.limits.network(request.remote_addr), now=clock.now())
    except Refused as refused:
        return _refused(refused.message, 429)
    db.session.commit()
    try:
        described = adapter.describe(provider)
    except Trouble as error:
        return _troubled(error)
    session[HELD], session[NEXT] = asked.state, local(request.form.get("next"))
    secrets = {"state": asked.state, "nonce": asked.nonce, "verifier": asked.verifier}
    there = adapter.way_there(described, provider, _back(), **secrets)
    return render_template("desk/staff/away.html", there=there)


@bp.get("/return")
def finish() -> ResponseReturnValue:
    """They come back with a code, or with the provider's word that they did not sign in."""
    provider, target = _provider(), local(session.pop(NEXT, None))
    asked = sign_on.answered(request.args.get("state", ""), session.pop(HELD, ""), now=clock.now())
    db.session.commit()
    if asked is None:
        return _refused(_("This way in was used already, or took too long. Please begin again."), 422)
    if "code" not in request.args:
        return _refused(_("%(name)s did not sign you in. Nothing was changed.", name=_name()), 422)
    try:
        secrets = {"nonce": asked.nonce, "verifier": asked.verifier}
        described = adapter.describe(provider)
        who = adapter.redeem(described, provider, request.args["code"], _back(), **secrets, now=clock.now())
    except Trouble as error:
        return _troubled(error)
    token = sign_on.let_in(who, browser=browsers.called(request.user_agent.string), now=clock.now())
    if token is None:
        words = _(
            "%(name)s knows you, but nobody has invited that address here. Ask who manages the people.", name=_name()
        )
        return _refused(words, 403)
    sessions.sign_out(request.cookies.get(cookie_name(), ""))
    return keep(redirect(target or url_for("desk.home"), 303), token)


def _provider() -> adapter.Provider:
    return sign_on.provider(current_app.config["SETTINGS"]) or abort(404)


def _back() -> str:
    return str(current_app.config["SETTINGS"].base_url) + url_for("sign_on.finish")


def _name() -> str:
    return str(current_app.config["SETTINGS"].oidc_name)


def _troubled(error: Trouble) -> ResponseReturnValue:
    current_app.logger.warning("single sign-on: %s", error)
    if isinstance(error, Permanent):
        return _refused(_("What %(name)s sent is not to be believed. Nobody was signed in.", name=_name()), 422)
    return _refused(_("%(name)s does not answer. Try again, or take another way in.", name=_name()), 503)


def _refused(words: str, status: int) -> ResponseReturnValue:
    return show_sign_in(SignInForm(formdata=None), words), status
