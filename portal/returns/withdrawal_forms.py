"""Shape of what customers state when they withdraw, and of what the desk decides about it."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, Regexp

from portal.lib.tokens import mint
from portal.returns.exemptions import GROUNDS
from portal.returns.goods import Goods
from portal.returns.rules import MOST_WORDS
from portal.returns.withdrawal_rules import Right

AN_ADDRESS = r"^\s*[^@\s,;<>]+@[^@\s,;<>]+\s*$"
LONGEST_NAME, LONGEST_NUMBER, LONGEST_ADDRESS = 200, 64, 320


class StatementForm(FlaskForm):
    """What Art. 11a(2) lets a shop ask somebody whom it does not know: name, contract, where the receipt goes."""

    key = HiddenField(validators=[InputRequired(), Length(20, 40)], default=mint)
    name = StringField(
        _l("Your name"),
        [DataRequired(_l("Enter your name.")), Length(max=LONGEST_NAME, message=_l("That is too long."))],
    )
    contract = StringField(
        _l("Order number or contract"),
        [
            DataRequired(_l("Say which contract you mean: its order number, or what you bought and when.")),
            Length(max=LONGEST_NUMBER, message=_l("That is too long.")),
        ],
    )
    email = EmailField(
        _l("E-mail for the receipt"),
        [
            DataRequired(_l("Enter the e-mail address that we send the receipt to.")),
            Length(max=LONGEST_ADDRESS, message=_l("That is too long.")),
            Regexp(AN_ADDRESS, message=_l("Enter an address like name@example.com.")),
        ],
    )
    goods = TextAreaField(
        _l("Only some of it? Then write what"), [Length(max=MOST_WORDS, message=_l("That is too long."))]
    )

    def stated(self, locale: str) -> dict[str, str]:
        """The statement as it is kept."""
        fields = (self.name, self.contract, self.email, self.goods)
        return {field.short_name: (field.data or "").strip() for field in fields} | {"locale": locale}


class WithdrawalForm(FlaskForm):
    """Pieces of each line; all that can be is chosen from the start. Made by `withdrawal_form`."""

    key = HiddenField(validators=[InputRequired(), Length(20, 40)], default=mint)
    offered: tuple[Goods, ...] = ()

    def part(self, goods: Goods) -> Any:
        return self[f"line_{goods.line.id}"]

    def chosen(self) -> dict[int, int]:
        """Pieces by line."""
        return {goods.line.id: pieces for goods in self.offered if (pieces := self.part(goods).data)}


def withdrawal_form(right: Right, most: Mapping[int, int], **how: Any) -> WithdrawalForm:
    """The form for all lines of which something can be chosen."""
    offered = tuple(goods for goods in right.items if goods.line.id in most)
    parts: dict[str, Any] = {
        f"line_{goods.line.id}": _pieces(goods, most[goods.line.id], right.open_pieces(goods)) for goods in offered
    }
    form: WithdrawalForm = type("WithdrawalForm", (WithdrawalForm,), {**parts, "offered": offered})(**how)
    return form


def _pieces(goods: Goods, most: int, chosen: int) -> IntegerField:
    fits = NumberRange(0, most, _l("Choose how many pieces."))
    return IntegerField(goods.line.title, [Optional(), fits], default=chosen)


class ExemptionForm(FlaskForm):
    """An article, and why the law exempts it."""

    sku = StringField(_l("SKU"), [DataRequired(_l("Write an SKU.")), Length(max=100, message=_l("That is too long."))])
    ground = SelectField(
        _l("The law's reason"),
        choices=[SelectChoice("", _l("Please choose")), *(SelectChoice(*each) for each in GROUNDS.items())],
        validators=[DataRequired(_l("Choose a reason."))],
    )


class CarryOutForm(FlaskForm):
    """Which order and pieces a statement means; a note when the rules say no."""

    note = StringField(_l("Why, when the rules say no"), [Length(max=MOST_WORDS)])


class OrderForm(FlaskForm):
    """The number of an order to look for; in the address, so that it can be shown again."""

    class Meta:
        csrf = False

    order = StringField(_l("Order number"), [Length(max=LONGEST_NUMBER)])
