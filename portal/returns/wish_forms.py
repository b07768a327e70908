"""Shape of what customers choose: one thing per step, all of it carried through to the last."""

from collections.abc import Iterator
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, FormField, HiddenField, IntegerField, RadioField, SelectField, TextAreaField
from wtforms import Form as PlainForm
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from portal.lib.tokens import mint
from portal.pictures.forms import PicturesField
from portal.returns.forms import put
from portal.returns.goods import Facts, Goods
from portal.returns.policy_rules import CHOICE, CONDITION, told_share
from portal.returns.reasons import find, may_ask_for_pictures, offered
from portal.returns.rules import MOST_WORDS, Verdict, Wish, choices_for, of_line

STEPS: dict[str, tuple[str, ...]] = {
    "what": ("quantity",),
    "why": ("reason", "condition", "words"),
    "show": ("photos",),
    "how": ("choice", "variant"),
}
"""What is asked in which step; the last two are left out where no reason asks for pictures, or nothing is to choose."""


class WishForm(PlainForm):
    """One line of the order."""

    quantity = IntegerField(
        _l("How many?"), [Optional(), NumberRange(0, 10**6, _l("Choose how many pieces."))], default=0
    )
    reason = SelectField(_l("Why?"), choices=[], validate_choice=False)
    condition = RadioField(_l("In what state is it?"), choices=[], validate_choice=False)
    words = TextAreaField(
        _l("Anything we should know? (if you like)"), [Length(max=MOST_WORDS, message=_l("That is too long."))]
    )
    photos = PicturesField(_l("Pictures (if you like)"))
    choice = RadioField(_l("What would you like?"), choices=[], validate_choice=False)
    variant = SelectField(_l("Instead I would like"), choices=[], validate_choice=False)


class ReturnForm(FlaskForm):
    """What comes back and why; one part for each line that can be chosen. Made by `return_form`.

    `policy` is the seal of the one that the customer saw first, `saw` whether it still counts.
    With `overruling` a person of the shop fills it in, whom the shop's own rules do not stop.
    """

    key = HiddenField(validators=[InputRequired(), Length(20, 40)], default=mint)
    policy = HiddenField(validators=[Length(max=200)])
    offered: tuple[Goods, ...] = ()
    facts: Facts
    saw, overruling = True, False

    def part(self, goods: Goods) -> WishForm:
        form: WishForm = self[f"line_{goods.line.id}"].form
        return form

    def steps(self, step: str) -> list[str]:
        """Those that this form has, as far as it is known in this one: before a reason is given any may be given."""
        parts, known = [self.part(goods) for goods in self.chosen or self.offered], step not in ("what", "why")
        choosing = any(len(part.choice.choices) > 1 or part.choice.errors or part.variant.errors for part in parts)
        has = {"show": bool(self.showing) if known else self.may_show, "how": choosing}
        return [each for each in STEPS if has.get(each, True)]

    @property
    def showing(self) -> list[Goods]:
        """The lines whose reason asks for pictures."""
        return [goods for goods in self.chosen if self.pictures_for(goods) != "off"]

    def pictures_for(self, goods: Goods) -> str:
        """Whether the reason that was given asks for them: one of `reasons.ASKED`."""
        reason = find(self.part(goods).reason.data or "", self._type(goods), self.facts.today)
        return reason.photo if reason else "off"

    def _type(self, goods: Goods) -> str:
        return self.facts.types.get(goods.line.sku, "")

    @property
    def may_show(self) -> bool:
        """Whether there is a reason for what was chosen that asks for pictures."""
        return any(may_ask_for_pictures(self._type(goods)) for goods in self.chosen)

    @property
    def chosen(self) -> list[Goods]:
        """The lines of which something was chosen."""
        return [goods for goods in self.offered if self.part(goods).quantity.data]

    def wishes(self) -> list[Wish]:
        return [_wish(goods, self.part(goods)) for goods in self.chosen]

    def carried(self, step: str) -> Iterator[Field]:
        """What other steps have asked, to be kept in hidden fields."""
        for goods in self.chosen if step != "what" else self.offered:
            yield from (self.part(goods)[name] for name in ASKED if name not in STEPS.get(step, ()))

    def validate(self, extra_validators: Any = None) -> bool:
        """The shape of each field, then the rules of each line, each message at its field."""
        good = super().validate(extra_validators)
        wishes = self.wishes()
        if good and not wishes:
            self.form_errors.append(_l("Choose what you want to send back."))
        said = [put(self.part(self._of(wish)), self._verdicts(wish)) for wish in wishes]
        return good and bool(wishes) and not any(said)

    def _of(self, wish: Wish) -> Goods:
        return next(goods for goods in self.offered if goods.line.id == wish.line_id)

    def _verdicts(self, wish: Wish) -> list[Verdict]:
        """Who may overrule the shop's own rules is not stopped by them here."""
        said = of_line(self._of(wish), wish, self.facts)
        return [verdict for verdict in said if not (self.overruling and verdict.policy)]

    def wrong_step(self) -> str:
        """The first step in which something is wrong, once it was validated; "" when nothing is."""
        if self.form_errors:
            return "what"
        wrong = {name for goods in self.offered for name, field in self.part(goods)._fields.items() if field.errors}
        return next((step for step, names in STEPS.items() if wrong & set(names)), "what" if self.errors else "")

    def forget_errors_after(self, step: str) -> None:
        """What has not been asked yet can't be wrong."""
        later = {name for after in list(STEPS)[list(STEPS).index(step) + 1 :] for name in STEPS[after]}
        for goods in self.offered:
            for name in later:
                self.part(goods)[name].errors = []


ASKED = tuple(name for names in STEPS.values() for name in names if name != "photos")
"""What travels from step to step in hidden fields; pictures wait beside the form."""


def _wish(goods: Goods, part: WishForm) -> Wish:
    words, state = (part.words.data or "").strip(), part.condition.data or ""
    choice = part.choice.data or (str(part.choice.choices[0].value) if len(part.choice.choices) == 1 else "")
    variant = (part.variant.data or "") if choice == "exchange" else ""
    pieces, reason, pictures = part.quantity.data or 0, part.reason.data or "", len(part.photos.drafts)
    return Wish(goods.line.id, pieces, reason, words, state, choice, variant, pictures)


def return_form(facts: Facts, **how: Any) -> ReturnForm:
    """The form for an order's items, also those that can't come back: what was chosen anyway gets its reason."""
    items = tuple(goods for goods in facts.goods if goods.line.kind == "item")
    parts: dict[str, Any] = {f"line_{goods.line.id}": FormField(WishForm, goods.line.title) for goods in items}
    form: ReturnForm = type("ReturnForm", (ReturnForm,), {**parts, "offered": items, "facts": facts})(**how)
    for goods in items:
        _offer(form.part(goods), goods, facts)
    return form


def _offer(part: WishForm, goods: Goods, facts: Facts) -> None:
    asks_state, pieces = facts.policy.asks_condition, part.quantity.data or 1
    given = find(part.reason.data or "", facts.types.get(goods.line.sku, ""), facts.today)
    if given and given.photo == "required":
        part.photos.label.text = _l("Pictures")
    part.reason.choices = [SelectChoice("", _l("Please choose")), *_grouped(facts.types.get(goods.line.sku, ""))]
    part.condition.choices = [SelectChoice(code, told) for code, told in CONDITION.items()] if asks_state else []
    part.choice.choices = [SelectChoice(code, _told(code, facts)) for code in choices_for(goods, pieces, facts)]
    there = [one for one in facts.variants.get(goods.line.sku, ()) if one.has(pieces)]
    part.variant.choices = [SelectChoice("", _l("Please choose")), *(SelectChoice(one.sku, one.told) for one in there)]


def _told(choice: str, facts: Facts) -> Any:
    return told_share(facts.policy.keep_share) if choice == "keep" else CHOICE[choice]


def _grouped(product_type: str) -> list[SelectChoice]:
    groups = offered(product_type).items()
    return [SelectChoice(code, told, optgroup=group) for group, named in groups for code, told in named]
