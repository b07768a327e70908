"""Shape of what a person takes less."""

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from portal.lib.money import NotMoney, to_minor
from portal.returns.easing import Taken, taken_from
from portal.returns.models import Return
from portal.returns.rules import MOST_WORDS


class EaseForm(FlaskForm):
    """What shall be taken of each fee and deduction; made by `ease_form`."""

    because = TextAreaField(
        _l("Why less?"),
        [DataRequired(_l("Say why, so that everybody can understand it later.")), Length(max=MOST_WORDS)],
    )
    taken: Sequence[Taken] = ()

    def amounts(self) -> dict[str, int]:
        """Minor units by key; raises NotMoney for what is no amount."""
        typed = {one.key: (self[one.key].data or "").strip().replace(",", ".") for one in self.taken}
        return {one.key: to_minor(typed[one.key], one.money.currency) for one in self.taken if typed[one.key]}

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        for one in self.taken:
            try:
                to_minor((self[one.key].data or "0").strip().replace(",", "."), one.money.currency)
            except NotMoney:
                self[one.key].errors, good = [_l("Write an amount like 4.50.")], False
        return good


def ease_form(ret: Return, **how: Any) -> EaseForm:
    """With a field for each that holds what is taken now."""
    taken = taken_from(ret)
    fields = {one.key: StringField(one.told, [Length(max=20)], default=str(one.money.decimal)) for one in taken}
    made = type("EaseForm", (EaseForm,), {**fields, "taken": taken})
    form: EaseForm = made(**how)
    return form
