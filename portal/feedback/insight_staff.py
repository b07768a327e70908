"""The desk's door to what customers say."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from wtforms.fields.choices import SelectChoice

from portal.config import LANGUAGES
from portal.feedback import alarms, insight, insight_pictures
from portal.feedback import reasons as why
from portal.feedback import words_written as written
from portal.feedback.insight import Picture
from portal.feedback.insight_forms import TONES, InsightForm, PeriodForm, WordsForm
from portal.feedback.scores import KIND_NAMES, MEANING
from portal.lib import clock, sheets
from portal.lib.days import shop_day
from portal.lib.guards import requires

bp = Blueprint("desk_satisfaction", __name__, url_prefix="/desk/insight")
MOST_PAGES = 1000


@bp.get("/satisfaction")
@requires("insight.see")
def index() -> ResponseReturnValue:
    form = InsightForm(request.args).offer()
    if not form.validate():
        return _page(form, None), 422
    return _page(form, _seen(form, whole=form.by.data or ""))


def _seen(form: InsightForm, whole: str) -> Picture:
    today = _today()
    kinds = insight.answered_kinds(*form.period(today))
    return insight.picture(form.wish(today, kinds), kinds, whole=whole)


def _today() -> date:
    return shop_day(clock.now())


def _page(form: InsightForm, seen: Picture | None) -> str:
    if seen:
        _offer_kinds(form, seen.kinds, seen.wish.kind)
    return render_template(
        "desk/insight/satisfaction.html", form=form, seen=seen, dimensions=insight.DIMENSIONS, names=KIND_NAMES,
        meaning=MEANING, pictures=insight_pictures, here=_here, only_name=_only_name(seen), alarms=alarms.open_alarms(),
    )  # fmt: skip


def _offer_kinds(form: InsightForm, kinds: Mapping[str, int], chosen: str) -> None:
    offered = [kind for kind in KIND_NAMES if kind in kinds or kind == chosen]
    form.kind.choices = [SelectChoice(kind, KIND_NAMES[kind]) for kind in offered]
    form.kind.data = chosen


def _only_name(seen: Picture | None) -> str:
    if seen is None or not seen.wish.within:
        return ""
    wish = seen.wish
    titles = insight.product_titles([wish.value]) if wish.within == "product" else {}
    return insight.called_in(wish.within, wish.value, titles)


def _here(endpoint: str = ".index", **changed: Any) -> str:
    """The address of this view with something changed; None takes a part out."""
    kept = {name: value for name, value in request.args.items() if value}
    return url_for(endpoint, **{name: value for name, value in {**kept, **changed}.items() if value is not None})


@bp.get("/reasons")
@requires("insight.see")
def reasons() -> ResponseReturnValue:
    """Why goods come back."""
    form = PeriodForm(request.args).offer()
    shown: dict[str, Any] = {"picture": why.picture, "grade_name": why.grade_name, "here": _here, "form": form}
    if not form.validate():
        return render_template("desk/insight/reasons.html", rows=None, **shown), 422
    first, last = form.period(_today())
    return render_template(
        "desk/insight/reasons.html", rows=why.table(first, last), first=first, last=last, **shown
    )  # fmt: skip


@bp.get("/reasons.csv")
@requires("insight.see")
def reasons_csv() -> ResponseReturnValue:
    form = PeriodForm(request.args).offer()
    if not form.validate():
        abort(404)
    return sheets.sent(why.sheet(why.table(*form.period(_today()))), "reasons")


@bp.get("/words")
@requires("insight.see")
def words() -> ResponseReturnValue:
    """What customers write."""
    form, page = WordsForm(request.args).offer(), request.args.get("page", 1, type=int)
    if not 1 <= page <= MOST_PAGES:
        abort(404)
    if not form.validate():
        return _words_page(form, None), 422
    asked, q = _asked(form), (form.q.data or "").strip()
    found = [] if q else written.words(asked)
    said, more = written.search(asked, q, form.tone.data or "", page)
    beside = written.companions(asked, q) if q else []
    return _words_page(form, asked, words=found, said=said, more=more, page=page, beside=beside)


def _words_page(form: WordsForm, asked: written.Asked | None, **shown: Any) -> str:
    drawn = written.picture(shown["words"], _("Words in most answers")) if shown.get("words") else ""
    return render_template(
        "desk/insight/words.html", form=form, asked=asked, here=_here, picture=drawn, tones=TONES, **shown
    )  # fmt: skip


def _asked(form: WordsForm) -> written.Asked:
    """In the language in which most was written, when none was chosen."""
    first, last = form.period(_today())
    spoken = written.languages(first, last)
    language = form.spoken(next(iter(spoken), str(get_locale() or "en")[:2]))
    offered = [code for code in LANGUAGES if code in spoken or code == language]
    form.language.choices = [SelectChoice(code, insight.called_in("language", code, {})) for code in offered]
    form.language.data = language
    return written.Asked(first, last, language)


@bp.get("/words.csv")
@requires("insight.see")
def words_csv() -> ResponseReturnValue:
    form = WordsForm(request.args).offer()
    if not form.validate():
        abort(404)
    asked = _asked(form)
    return sheets.sent(written.sheet(written.words(asked), asked), "words")


@bp.get("/satisfaction.csv")
@requires("insight.see")
def as_csv() -> ResponseReturnValue:
    form = InsightForm(request.args).offer()
    if not form.validate():
        return _page(form, None), 422
    only = request.args.get("table", "")
    sheet = insight_pictures.sheet(_seen(form, whole=only), only)
    return sheets.sent(sheet, f"satisfaction-{only}" if only.isalpha() else "satisfaction")
