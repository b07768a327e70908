"""Shape of an answer: what this version of the question offers, and nothing else."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import IntegerField, StringField, TextAreaField
from wtforms.validators import AnyOf, Length, Optional
from wtforms.widgets import HiddenInput

from portal.feedback.actions import Said
from portal.feedback.ask import Ask
from portal.feedback.forms import LONGEST, tidy

STARS = "stars_"


class AnswerForm(FlaskForm):
    """What every question takes. `version` is the one that the page showed, `shown` when."""

    words = TextAreaField(filters=[tidy])
    version = IntegerField(validators=[Optional()], widget=HiddenInput())
    shown = StringField(widget=HiddenInput())

    def said(self) -> Said:
        """What was filled in. Call it after `validate`."""
        given = {name: field.data for name, field in self._fields.items() if field.data not in (None, "")}
        return Said(
            score=int(given["score"]) if "score" in given else None,
            words=self.words.data or "",
            choice=int(given["choice"]) if "choice" in given else None,
            stars={int(name.removeprefix(STARS)): int(given[name]) for name in given if name.startswith(STARS)},
            version=self.version.data,
        )


def answer_form(ask: Ask, sent: MultiDict[str, str] | None = None, **given: Any) -> AnswerForm:
    """The form of this question: filled with what was `sent`, else with what is `given`."""

    class Fitting(AnswerForm):
        pass

    for name, field in _fields(ask, sent).items():
        setattr(Fitting, name, field)
    form = Fitting(formdata=sent, **given)
    form.words.label.text = ask.said.after(ask.mood) or ask.said.ask
    form.words.validators = [Length(max=LONGEST, message=_("That is too long: at most %(max)d characters."))]
    return form


def _fields(ask: Ask, sent: MultiDict[str, str] | None) -> Mapping[str, StringField]:
    scores, fields = [str(value) for value in ask.version.values], {}
    if ask.kind == "stars":
        lines = {str(article.id): article.title for article in ask.articles}
        # what the page did not offer is looked at as well: the answer to it is "no", not silence
        lines |= {name.removeprefix(STARS): "" for name in (sent or {}) if name.startswith(STARS)} | lines
        there = [line for line in lines if line.isascii() and line.isdigit()]
        wrong = _("Give each article one to five stars.")
        fields = {f"{STARS}{line}": StringField(lines[line], [Optional(), AnyOf(scores, wrong)]) for line in there}
    else:
        fields["score"] = StringField(ask.said.ask, [AnyOf(scores, _wrong_score(ask))])
    if ask.said.choices:
        numbers = [str(number) for number in range(1, len(ask.said.choices) + 1)]
        wrong = _("Choose one of the answers that stand there.")
        fields["choice"] = StringField(ask.said.choice, [Optional(), AnyOf(numbers, wrong)])
    return fields


def _wrong_score(ask: Ask) -> str:
    if ask.kind == "csat":
        return _("Choose one of the five.")
    return _("Choose a number from %(low)s to %(high)s.", low=ask.version.low, high=ask.version.high)
