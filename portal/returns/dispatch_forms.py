"""Shape of a return parcel's number, as customers and staff type it."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from portal.adapters.couriers import own
from portal.fulfilment.rules import COURIERS
from portal.lib.errors import Refused
from portal.pictures.forms import ACCEPTED
from portal.pictures.reading import MOST_BYTES
from portal.returns.own_labels import Given, Paper, paper
from portal.returns.rules import MOST_WORDS

CARRIERS = [
    *(SelectChoice(one.code, one.name) for one in COURIERS.values() if one.code != own.CODE),
    SelectChoice("", _l("Somebody else")),
]


class BackParcelForm(FlaskForm):
    courier = SelectField(_l("Who carries it?"), choices=CARRIERS)
    number = StringField(
        _l("Number on the receipt"),
        [DataRequired(_l("Type the number on the receipt.")), Length(max=60, message=_l("That is too long."))],
    )

    def told(self) -> tuple[str | None, str]:
        """Courier and number."""
        return self.courier.data or None, self.number.data or ""


FILES = {"accept": f"application/pdf,{ACCEPTED}"}


class OwnLabelForm(FlaskForm):
    """What the shop gives for one parcel: at least one of them."""

    courier = SelectField(_l("Who carries it?"), choices=CARRIERS)
    number = StringField(_l("Tracking number"), [Length(max=60, message=_l("That is too long."))])
    paper = FileField(_l("Label (PDF or picture)"), render_kw=FILES)
    code = FileField(_l("Code for drop-off points (PDF or picture)"), render_kw=FILES)
    words = TextAreaField(
        _l("How the customer sends it"), [Length(max=MOST_WORDS, message=_l("That is too long."))]
    )

    def given(self) -> Given:
        """Raises Refused for a file that is neither a PDF nor a picture; the message says which."""
        return Given(
            self.courier.data or None, self.number.data or "", self.words.data or "", _paper(self.paper),
            _paper(self.code),
        )  # fmt: skip


def _paper(field: FileField) -> Paper | None:
    if field.data is None:
        return None
    try:
        return paper(field.data.stream.read(MOST_BYTES + 1))
    except Refused as refused:
        raise Refused(_("%(file)s: %(why)s", file=field.label.text, why=refused.message)) from refused
