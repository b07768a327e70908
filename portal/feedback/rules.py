"""When we ask, and whom we do not ask."""

from datetime import timedelta

from flask_babel import lazy_gettext as _l

SURVEY_LASTS = timedelta(days=30)
LETTER_USEFUL_FOR = timedelta(days=7)

REASONS = ("delivered", "return_settled", "case_closed")
"""What makes us ask, the better reason last."""
OPEN_PROBLEM = ("open_case", "open_return")

SCORES = {1: _l("Very bad"), 2: _l("Bad"), 3: _l("So-so"), 4: _l("Good"), 5: _l("Very good")}

WHY_NOT = {
    "no_address": _l("Not asked how it was: there is no address to write to"),
    "country": _l("Not asked how it was: surveys are off for this country"),
    "objected": _l("Not asked how it was: the customer does not want to be asked"),
    "no_consent": _l("Not asked how it was: the customer did not say that we may ask by mail"),
    "open_case": _l("Not asked how it was: a case is not solved yet"),
    "open_return": _l("Not asked how it was: goods or money are still on their way back"),
    "nothing_kept": _l("Not asked how it was: everything went back, so there is nothing to give stars to"),
    "asked_lately": _l("Not asked how it was: the customer was asked about another order not long ago"),
    "better_reason": _l("Not asked how it was: there is a better reason to ask about another order soon"),
}
NOT_ASKED = {
    "no_address": _l("No address to write to"),
    "country": _l("Off for this country"),
    "objected": _l("Does not want to be asked"),
    "no_consent": _l("Did not say that we may ask"),
    "open_case": _l("A case was not solved"),
    "open_return": _l("Goods or money were on their way back"),
    "nothing_kept": _l("Nothing was kept to give stars to"),
    "asked_lately": _l("Asked about another order not long ago"),
    "better_reason": _l("A better reason to ask came soon"),
}
REASON_WORDS = {
    "delivered": _l("Delivered"),
    "return_settled": _l("A return was settled"),
    "case_closed": _l("A case was solved"),
}
