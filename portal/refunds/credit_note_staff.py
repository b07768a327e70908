"""The desk's door to credit notes, and to the table for whoever keeps the books."""

from datetime import date, timedelta

from flask import Blueprint, Response, abort, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField
from wtforms.validators import InputRequired, ValidationError

from portal.lib import clock, sheets
from portal.lib.days import shop_day
from portal.lib.guards import requires
from portal.refunds import books, credit_notes
from portal.refunds.credit_note_paper import credit_note

LONGEST = timedelta(days=366)

bp = Blueprint("desk_credit_notes", __name__, url_prefix="/desk/credit-notes")


class PeriodForm(FlaskForm):
    """From the first to the last day, at most a year."""

    class Meta:
        csrf = False

    first = DateField(_l("From"), [InputRequired(_l("Write a day."))])
    last = DateField(_l("To"), [InputRequired(_l("Write a day."))])

    def validate_last(self, field: DateField) -> None:
        if self.first.data and field.data and not self.first.data <= field.data <= self.first.data + LONGEST:
            raise ValidationError(str(_l("The last day comes after the first, within a year.")))


@bp.get("")
@requires("refunds.see")
def index() -> ResponseReturnValue:
    last = _today().replace(day=1) - timedelta(days=1)
    return _page(PeriodForm(formdata=None, first=last.replace(day=1), last=last))


@bp.get("/money-back.csv")
@requires("refunds.see")
def sheet() -> ResponseReturnValue:
    """What ended in this time, as a table; the page with the form when the days are wrong."""
    form = PeriodForm(request.args)
    if not form.validate():
        return _page(form) if not request.args else (_page(form), 422)
    first, last = form.first.data, form.last.data
    made = books.sheet(first, last, current_app.config["SETTINGS"].zone)
    return sheets.sent(made, f"money-back-{first}-{last}")


@bp.get("/<int:number>.pdf")
@requires("refunds.see")
def paper(number: int) -> ResponseReturnValue:
    note = credit_notes.find_note(number) or abort(404)
    name = f'inline; filename="{note.called}.pdf"'
    return Response(credit_note(note), mimetype="application/pdf", headers={"Content-Disposition": name})


def _page(form: PeriodForm) -> str:
    page = credit_notes.page_of(request.args.get("page", ""))
    return render_template("desk/refunds/credit_notes.html", page=page, form=form)


def _today() -> date:
    return shop_day(clock.now())
