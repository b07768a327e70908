"""Bugs about goods that come back, each of another kind; the state machine of returns finds each of them."""

from tests.mutants.rules import Edit, Mutant

GOODS, MODELS = "portal/returns/goods.py", "portal/returns/models.py"
MONEY = "portal/refunds/rules.py"
MACHINE = ("tests/returns/test_machine.py",)

PLANTED = (
    Mutant(
        "more comes back than was bought: what is in other returns is not counted",
        (Edit(GOODS, "lives, Return.id != (besides or 0)", "lives, Return.id == -1"),),
        MACHINE,
    ),
    Mutant(
        "more money goes back than was paid: what was given back before is forgotten",
        (
            Edit(GOODS, "min(fair, line.paid - self.given)", "fair"),
            Edit(MONEY, "if part.amount + taken.get(line.id, 0) > line.paid:", "if part.amount < 0:"),
            Edit(GOODS, "return max(0, self.line.quantity - self.claimed)", "return self.line.quantity"),
        ),
        MACHINE,
    ),
    Mutant(
        "a withdrawal is refused in time: counted from the first parcel",
        (Edit(GOODS, "else max((day for day in days if day)", "else min((day for day in days if day)"),),
        MACHINE,
    ),
    Mutant(
        "a return that can't be resolved: called off, and here all the same",
        (Edit(MODELS, '(("declined", "cancelled"), "approved")', '(("declined",), "approved")'),),
        MACHINE,
    ),
    Mutant(
        "a page contradicts the money: sent, when it was only approved",
        (
            Edit(
                "portal/returns/words.py",
                '    if refund.state == "succeeded":\n        return _("We have sent',
                '    if refund.state in ("approved", "sending", "succeeded"):\n        return _("We have sent',
            ),
        ),
        MACHINE,
    ),
)
