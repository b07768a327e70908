"""Shape of what is done with store credit."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Length, ValidationError

from portal.lib.money import NotMoney, to_minor


class SpendingForm(FlaskForm):
    """How much the customer pays with it, and for what."""

    amount = StringField(_l("Amount"), [DataRequired(_l("Write an amount like 4.50.")), Length(max=20)])
    note = StringField(
        _l("For which order"), [DataRequired(_l("Say for what; colleagues read it later.")), Length(max=200)]
    )
    currency = ""

    def minor(self) -> int:
        """Minor units. Raises NotMoney."""
        return to_minor((self.amount.data or "").strip().replace(",", "."), self.currency)

    def validate_amount(self, _field: Any) -> None:
        try:
            good = self.minor() > 0
        except NotMoney:
            good = False
        if not good:
            raise ValidationError(str(_l("Write an amount like 4.50.")))


def spending_form(currency: str, **how: Any) -> SpendingForm:
    bound: type[SpendingForm] = type("SpendingForm", (SpendingForm,), {"currency": currency})
    return bound(**how)


class CorrectionForm(FlaskForm):
    """Why something is put back or taken back."""

    note = StringField(_l("Why?"), [DataRequired(_l("Say why; colleagues read it later.")), Length(max=200)])
