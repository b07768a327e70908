"""The safety rules of money back, and for each how the portal would look without it."""

from dataclasses import dataclass

SENDING = "portal/refunds/sending.py"
FACTS = "portal/refunds/facts.py"
JOBS = "portal/refunds/jobs.py"
ACTIONS = "portal/refunds/actions.py"
MODELS = "portal/refunds/models.py"
SCHEMA = "migrations/versions/0001_the_house.py"
FAULTS, TOLD, HOOKS = "tests/refunds/test_faults.py", "tests/refunds/test_facts.py", "tests/refunds/test_webhooks.py"
MACHINE = "tests/refunds/test_machine.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` stands in `file` exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """`rule` is what is taken out; one of `tests` has to turn red."""

    rule: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


NEW_KEY = Edit(SENDING, "key=refund.idem_key,", 'key=f"{refund.idem_key}:{refund.attempts}",')
NO_LOOK = Edit(
    JOBS,
    "if due.sent and (found := account.find_refund(due.payment_intent, due.uuid)):\n        return [found]",
    "if due.sent and not due.key:\n        return []",
)
REFUSED = Edit(
    JOBS,
    "    except Unknown as error:\n        _again(due, str(error), executed=True)",
    "    except Unknown as error:\n        with transaction():\n"
    '            reject(due, "", str(error), now=clock.now())',
)
TOLD_AT_ONCE = Edit(
    FACTS,
    '    record(refund.order_id, "refund.pending", by="stripe", now=now, amount=refund.money)',
    '    record(refund.order_id, "refund.pending", by="stripe", now=now, amount=refund.money)\n'
    '    _write("refund-on-its-way", refund, now)',
)
NOT_COUNTED = Edit(FACTS, "        add_external(payment, found.amount)\n        record(", "        record(")
KEPT = Edit(
    FACTS,
    "def _failed(refund: Refund, before: str, now: datetime) -> None:\n    give_back_balance(refund)\n",
    "def _failed(refund: Refund, before: str, now: datetime) -> None:\n",
)
FREED_TWICE = Edit(
    FACTS,
    "def _failed(refund: Refund, before: str, now: datetime) -> None:\n    give_back_balance(refund)\n",
    "def _failed(refund: Refund, before: str, now: datetime) -> None:\n"
    "    give_back_balance(refund)\n    refund.payment.reserved = 0\n",
)
BELIEVED = Edit(
    JOBS,
    "        found = _refunds_behind(news.event)\n",
    "        import json\n        from types import SimpleNamespace\n\n        with transaction():\n"
    '            about = json.loads(session.get_one(InboxMessage, message_id).body)["data"]["object"]\n'
    '        claimed = news.event.object_kind == "refund"\n'
    "        found = [stripe._refund(SimpleNamespace(to_dict=lambda: about))] if claimed else []\n",
)

MUTANTS = (
    Mutant("one key per refund, on every try", (NEW_KEY,), (FAULTS,)),
    Mutant("a look before a second try", (NO_LOOK,), (FAULTS,)),
    Mutant("neither a stable key nor a look", (NEW_KEY, NO_LOOK), (MACHINE,)),
    Mutant(
        "never more than is left of the payment",
        (
            Edit(
                "portal/orders/payments.py",
                "enough = Payment.reserved + Payment.external + amount <= Payment.captured",
                "enough = Payment.reserved >= 0",
            ),
        ),
        (TOLD,),
    ),
    Mutant(
        "the state stands in the update that changes it",
        (Edit("portal/db/__init__.py", ", getattr(table, column).in_(origins)).values", ").values"),),
        ("tests/db/test_db.py",),
    ),
    Mutant(
        "one row per decision of a return (database)",
        (
            Edit(
                SCHEMA,
                '        sa.UniqueConstraint("return_id", "decision_no", '
                'name=op.f("uq_refunds_return_id_decision_no")),\n',
                "",
            ),
        ),
        (FAULTS,),
    ),
    Mutant(
        "approver is not requester (database)",
        (
            Edit(
                SCHEMA,
                '        sa.CheckConstraint("approved_by_id <> requested_by_id", name=op.f("ck_refunds_four_eyes")),\n',
                "",
            ),
        ),
        (FAULTS,),
    ),
    Mutant(
        "approver is not requester (portal)",
        (Edit("portal/refunds/rules.py", "if refund.requested_by_id == by.id:", "if by.id < 0:"),),
        ("tests/refunds/test_decisions.py",),
    ),
    Mutant("a time-out is unknown, no refusal", (REFUSED,), (FAULTS,)),
    Mutant("a time-out is unknown, no refusal", (REFUSED,), (MACHINE,)),
    Mutant(
        "what succeeded can still fail",
        (Edit(MODELS, '"fail": ((*UNDER_WAY, "succeeded"), "failed")', '"fail": (UNDER_WAY, "failed")'),),
        (TOLD,),
    ),
    Mutant("what failed gives its money back", (KEPT,), (MACHINE,)),
    Mutant("what failed gives it back once", (FREED_TWICE,), (MACHINE,)),
    Mutant("the dashboard's refunds count", (NOT_COUNTED,), (TOLD,)),
    Mutant("the dashboard's refunds count", (NOT_COUNTED,), (MACHINE,)),
    Mutant(
        "amount and currency are what we asked for",
        (
            Edit(
                FACTS,
                "if (found.amount, found.currency) != (refund.amount, refund.currency):",
                "if not found.amount:",
            ),
        ),
        (TOLD,),
    ),
    Mutant(
        "an absent amount is never sent",
        (Edit("portal/adapters/stripe.py", "        _check(body, key)\n", ""),),
        ("tests/adapters/test_stripe.py",),
    ),
    Mutant(
        "no transaction is open while Stripe talks",
        (
            Edit(
                JOBS,
                "    with transaction():\n        due = begin_sending(refund_id)\n",
                "    due = begin_sending(refund_id)\n",
            ),
        ),
        (FAULTS,),
    ),
    Mutant("a webhook wakes, it is not believed", (BELIEVED,), (HOOKS,)),
    Mutant("after 23 hours it is only looked up", (Edit(JOBS, "if not due.key_lives:", "if not due.key:"),), (FAULTS,)),
    Mutant(
        "a claim keeps others away",
        (Edit(SENDING, " or (refund.lease_until or now) > now:", ":"),),
        ("tests/refunds/test_sending.py",),
    ),
    Mutant(
        "who lost the claim neither sends nor writes",
        (
            Edit(
                SENDING,
                'return refund if refund.state == "sending" and refund.attempts == due.attempt else None',
                "return refund",
            ),
        ),
        ("tests/refunds/test_sending.py",),
    ),
    Mutant(
        "an older word never undoes a later one",
        (Edit(FACTS, "if refund.looked_at and refund.looked_at > asked_at:", "if not refund.uuid:"),),
        (TOLD,),
    ),
    Mutant(
        "a disputed payment is not tried", (Edit(JOBS, "    if payment.disputed:", "    if not due.key:"),), (FAULTS,)
    ),
    Mutant("“sent” is said when Stripe says so", (TOLD_AT_ONCE,), (MACHINE,)),
)
