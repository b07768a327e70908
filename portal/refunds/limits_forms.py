"""Shape of a limit for money."""

from typing import Any, Self

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, ValidationError

from portal.lib.money import NotMoney, exponent, to_minor
from portal.refunds.words import KINDS, RANKS


class LimitForm(FlaskForm):
    """Amounts that are left empty are no limit; both empty take it away."""

    role = SelectField(_l("Who"))
    currency = StringField(_l("Currency"), [Length(min=3, max=3, message=_l("Write a currency like EUR."))])
    reason = SelectField(_l("For"))
    most = StringField(_l("Most at once"), [Length(max=20)])
    per_day = StringField(_l("Most in a day"), [Length(max=20)])

    def offer(self, roles: tuple[str, ...]) -> Self:
        """Fill the choices."""
        self.role.choices = [SelectChoice(role, RANKS[role]) for role in roles]
        self.reason.choices = [SelectChoice(kind, name) for kind, name in KINDS.items()]
        return self

    @property
    def code(self) -> str:
        return (self.currency.data or "").strip().upper()

    def validate_currency(self, _field: Any) -> None:
        try:
            exponent(self.code)
        except NotMoney:
            raise ValidationError(str(_l("Write a currency like EUR."))) from None

    def validate_most(self, field: StringField) -> None:
        self._check(field)

    def validate_per_day(self, field: StringField) -> None:
        self._check(field)

    def _check(self, field: StringField) -> None:
        try:
            good = (self.minor(field) or 0) >= 0
        except NotMoney:
            good = not self._currency_is_known()
        if not good:
            raise ValidationError(str(_l("Write an amount like 4.50.")))

    def _currency_is_known(self) -> bool:
        """Where it is not, that is the mistake, and not the amount."""
        try:
            return exponent(self.code) >= 0
        except NotMoney:
            return False

    def minor(self, field: StringField) -> int | None:
        """Minor units; None when it was left empty. Raises NotMoney."""
        typed = (field.data or "").strip().replace(",", ".")
        return to_minor(typed, self.code) if typed else None
