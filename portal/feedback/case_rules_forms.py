"""Shape of a rule that opens cases."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange, Optional, ValidationError

from portal.config import LANGUAGES
from portal.feedback.case_rules import SCORES, SEVERITIES, TRIGGERS, CaseRule
from portal.feedback.forms import tidy
from portal.feedback.questions import KINDS
from portal.staff.rules import DEPARTMENTS
from portal.staff.words import DEPARTMENT

ASKED = {
    "csat": _l("How was it? (1 to 5)"),
    "nps": _l("Would you recommend us? (0 to 10)"),
    "ces": _l("How easy was it?"),
    "stars": _l("Stars for what was bought"),
    "form": _l("The shop's own form"),
}
MOST_WORDS = 60


def _choices(named: Any) -> list[SelectChoice]:
    return [SelectChoice(code, name) for code, name in named.items()]


def _between(low: int, high: int) -> list[Any]:
    return [NumberRange(low, high, message=_l("Write a number from %(min)s to %(max)s."))]


class CaseRuleForm(FlaskForm):
    name = StringField(_l("Name"), [DataRequired(_l("Give it a name.")), Length(max=80)], filters=[tidy])
    active = BooleanField(_l("In force"), default=True)
    trigger = SelectField(_l("What opens a case"), choices=_choices(TRIGGERS))
    question = SelectField(
        _l("Answers to"),
        choices=[SelectChoice("", _l("Any question")), *[SelectChoice(kind, ASKED[kind]) for kind in KINDS]],
    )
    score = SelectField(_l("Score"), choices=_choices(SCORES))
    score_to = IntegerField(_l("Up to"), [Optional(), *_between(0, 10)])
    words = TextAreaField(_l("Words"), [Length(max=2000)], filters=[tidy])
    sku = StringField(_l("With this article (SKU)"), [Length(max=100)], filters=[tidy])
    days_late = IntegerField(_l("More days late than"), [Optional(), *_between(0, 60)], default=0)
    reason = SelectField(_l("Return reason"), default="")
    department = SelectField(
        _l("Department"), choices=[SelectChoice(code, DEPARTMENT[code]) for code in DEPARTMENTS], default="support"
    )
    owner = SelectField(_l("Owner"), coerce=int, default=0)
    hours = IntegerField(_l("Working hours until an answer"), [Optional(), *_between(1, 400)])
    severity = SelectField(_l("Severity"), coerce=int, choices=_choices(SEVERITIES), default=2)

    def validate_score(self, field: SelectField) -> None:
        if self.trigger.data == "answer" and field.data == "up_to" and self.score_to.data is None:
            raise ValidationError(_l("Write up to which score."))

    def validate_reason(self, field: SelectField) -> None:
        if self.trigger.data == "return" and not field.data:
            raise ValidationError(_l("Choose a reason."))

    def validate_words(self, field: TextAreaField) -> None:
        listed = listed_words(field.data or "")
        if set(listed) - {"", *LANGUAGES} or sum(map(len, listed.values())) > MOST_WORDS:
            raise ValidationError(_l("One word or phrase a line, at most sixty; “de:” begins those for German."))

    def values(self) -> dict[str, Any]:
        """As a version of the rule keeps it: what does not belong to its trigger is left out."""
        by_answer = self.trigger.data == "answer"
        scored = self.score.data if by_answer else "bad"
        return {
            "name": self.name.data, "active": self.active.data, "trigger": self.trigger.data,
            "question": self.question.data if by_answer else "", "score": scored,
            "score_to": self.score_to.data if scored == "up_to" else None,
            "words": listed_words(self.words.data or "") if by_answer else {},
            "sku": self.sku.data or "" if by_answer else "",
            "days_late": (self.days_late.data or 0) if self.trigger.data == "late" else 0,
            "reason": self.reason.data if self.trigger.data == "return" else "",
            "department": self.department.data, "owner_id": self.owner.data or None, "hours": self.hours.data,
            "severity": self.severity.data,
        }  # fmt: skip


def listed_words(text: str) -> dict[str, list[str]]:
    """Lines of words by language: a line that is a language and a colon begins its list, "" is for all languages."""
    found: dict[str, list[str]] = {}
    language = ""
    for line in filter(None, (line.strip() for line in text.split("\n"))):
        if line.endswith(":") and len(line) <= 4:
            language = line[:-1].strip().lower()
        else:
            found.setdefault(language, []).append(line[:100])
    return found


def written_words(words: dict[str, list[str]]) -> str:
    """As they are typed."""
    blocks = [[*([f"{language}:"] if language else []), *listed] for language, listed in sorted(words.items())]
    return "\n".join(line for block in blocks for line in block)


def form_of(rule: CaseRule) -> CaseRuleForm:
    same = ("name", "active", "trigger", "question", "score", "score_to", "sku", "days_late", "reason", "department")
    known = {name: getattr(rule, name) for name in (*same, "hours", "severity")}
    return CaseRuleForm(formdata=None, **known, words=written_words(rule.words), owner=rule.owner_id or 0)
