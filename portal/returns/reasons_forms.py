"""Shape of reasons and articles as they are typed at the desk."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length

from portal.config import LANGUAGES
from portal.returns.reasons import ReturnReason

NAMES = dict(zip(LANGUAGES, ("English", "Deutsch", "Français", "Nederlands", "Español", "Magyar"), strict=True))
"""Languages as their speakers call them."""
ASKED = {"off": _l("Not asked"), "optional": _l("If they like"), "required": _l("Needed")}


class ReasonForm(FlaskForm):
    """How a reason is called in each language, and what it asks for. Made by `reason_form`."""

    types = StringField(_l("Only for these product types"), [Length(max=500)])
    fault = BooleanField(_l("The mistake is ours"))
    words = SelectField(_l("Words"), choices=[SelectChoice(code, told) for code, told in ASKED.items()])
    photo = SelectField(_l("Pictures"), choices=[SelectChoice(code, told) for code, told in ASKED.items()])

    def labels(self) -> dict[str, str]:
        typed = {language: (self[f"label_{language}"].data or "").strip() for language in LANGUAGES}
        return {language: said for language, said in typed.items() if said}

    def asks(self) -> dict[str, Any]:
        """What it asks for, and for which articles."""
        return {
            "types": self.product_types(), "fault": bool(self.fault.data), "words": self.words.data or "",
            "photo": self.photo.data or "",
        }  # fmt: skip

    def product_types(self) -> list[str]:
        return [name for part in (self.types.data or "").split(",") if (name := part.strip())]


class NewReasonForm(ReasonForm):
    group = SelectField(_l("Group"))


def _with_labels(base: type[ReasonForm], **how: Any) -> Any:
    fields = {f"label_{code}": StringField(name, [Length(max=100)]) for code, name in NAMES.items()}
    return type(base.__name__, (base,), fields)(**how)


def reason_form(row: ReturnReason, **how: Any) -> ReasonForm:
    """The form for a reason that is there; what is not shown is not touched."""
    labels = {f"label_{language}": said for language, said in row.labels.items()}
    said = {"types": ", ".join(row.types), "fault": row.fault, "words": row.words, "photo": row.photo}
    form: ReasonForm = _with_labels(ReasonForm, data={**labels, **said}, prefix=f"r{row.id}-", **how)
    return form


def new_reason_form(groups: dict[str, str], **how: Any) -> NewReasonForm:
    form: NewReasonForm = _with_labels(NewReasonForm, **how)
    form.words.data = form.words.data or "optional"
    form.photo.data = form.photo.data or "off"
    form.group.choices = [SelectChoice("", _l("A new group")), *(SelectChoice(*group) for group in groups.items())]
    return form


class ArticlesForm(FlaskForm):
    file = FileField(_l("CSV file"), [FileRequired(_l("Choose a file."))])
