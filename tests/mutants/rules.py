"""The safety rules of money back, and for each how the portal would look without it."""

from dataclasses import dataclass

SENDING = "portal/refunds/sending.py"
FACTS = "portal/refunds/facts.py"
JOBS = "portal/refunds/jobs.py"
ACTIONS = "portal/refunds/actions.py"
MODELS = "portal/refunds/models.py"
SCHEMA = "migrations/versions/0001_the_house.py"
FAULTS, FACTS_TESTS = "tests/refunds/test_faults.py::test_", "tests/refunds/test_facts.py::test_"
SENT = "tests/refunds/test_sending.py::test_"
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
    "    except Unknown as error:\n        _again(due, error, executed=True)",
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
    "        found, disputes = _refunds_behind(news.event), _disputes_behind(news.event)\n",
    "        import json\n        from types import SimpleNamespace\n\n        with transaction():\n"
    '            about = json.loads(session.get_one(InboxMessage, message_id).body)["data"]["object"]\n'
    '        claimed = news.event.object_kind == "refund"\n'
    "        found = [stripe._refund(SimpleNamespace(to_dict=lambda: about))] if claimed else []\n"
    "        disputes = _disputes_behind(news.event)\n",
)

MUTANTS = (
    Mutant(
        "one key per refund, on every try",
        (NEW_KEY,),
        (FAULTS + "a_line_cut_before_anything_happened_is_tried_again_under_the_same_key",),
    ),
    Mutant(
        "a look before a second try",
        (NO_LOOK,),
        (FAULTS + "a_reply_lost_after_the_money_moved_is_found_and_nothing_is_sent_again",),
    ),
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
        (FACTS_TESTS + "a_refund_made_in_the_dashboard_is_adopted_and_reduces_what_is_left",),
    ),
    Mutant(
        "the state stands in the update that changes it",
        (Edit("portal/db/__init__.py", ".where(getattr(table, column).in_(origins)).values", ".values"),),
        ("tests/db/test_db.py::test_15_4_2_of_many_who_move_one_row_at_once_one_succeeds",),
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
        (FAULTS + "the_database_knows_each_decision_of_a_return_once",),
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
        (FAULTS + "the_database_itself_refuses",),
    ),
    Mutant(
        "approver is not requester (portal)",
        (Edit("portal/refunds/rules.py", "if refund.requested_by_id == by.id:", "if by.id < 0:"),),
        ("tests/refunds/test_decisions.py::test_2_3_5_nobody_approves_money_they_asked_for",),
    ),
    Mutant(
        "a time-out is unknown, no refusal",
        (REFUSED,),
        (FAULTS + "a_reply_lost_after_the_money_moved_is_found_and_nothing_is_sent_again",),
    ),
    Mutant("a time-out is unknown, no refusal", (REFUSED,), (MACHINE,)),
    Mutant(
        "what succeeded can still fail",
        (Edit(MODELS, '"fail": ((*UNDER_WAY, "succeeded"), "failed")', '"fail": (UNDER_WAY, "failed")'),),
        (FACTS_TESTS + "a_refund_that_fails_late_frees_its_money_once_and_corrects_what_we_told",),
    ),
    Mutant("what failed gives its money back", (KEPT,), (MACHINE,)),
    Mutant("what failed gives it back once", (FREED_TWICE,), (MACHINE,)),
    Mutant(
        "the dashboard's refunds count",
        (NOT_COUNTED,),
        (FACTS_TESTS + "a_refund_made_in_the_dashboard_is_adopted_and_reduces_what_is_left",),
    ),
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
        (FACTS_TESTS + "what_is_not_what_we_asked_for_is_for_a_person_and_keeps_its_id",),
    ),
    Mutant(
        "an absent amount is never sent",
        (Edit("portal/adapters/stripe.py", "        _check(body, key)\n", ""),),
        ("tests/adapters/test_stripe.py::test_an_amount_that_is_none_never_leaves",),
    ),
    Mutant(
        "no transaction is open while Stripe talks",
        (
            Edit(
                JOBS,
                "    with transaction():\n        due = None if paused() else begin_sending(refund_id)\n",
                "    due = begin_sending(refund_id)\n",
            ),
        ),
        (FAULTS + "after_a_day_it_is_only_looked_up_and_found",),
    ),
    Mutant(
        "a webhook wakes, it is not believed",
        (BELIEVED,),
        ("tests/refunds/test_webhooks.py::test_what_the_event_claims_is_not_believed",),
    ),
    Mutant(
        "after 23 hours it is only looked up",
        (Edit(JOBS, "if not due.key_lives:", "if not due.key:"),),
        (FAULTS + "after_a_day_and_not_found_a_person_must_look",),
    ),
    Mutant(
        "a claim keeps others away",
        (Edit(SENDING, " or (refund.lease_until or now) > now:", ":"),),
        (SENT + "a_claim_keeps_others_away_until_it_runs_out",),
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
        (SENT + "a_worker_that_lost_its_claim_neither_sends_nor_writes",),
    ),
    Mutant(
        "an older word never undoes a later one",
        (Edit(FACTS, "if refund.looked_at and refund.looked_at > asked_at:", "if not refund.uuid:"),),
        (FACTS_TESTS + "an_older_word_never_undoes_a_later_one",),
    ),
    Mutant(
        "a disputed payment is not tried",
        (Edit(JOBS, "    if payment.disputed:", "    if not due.key:"),),
        (FAULTS + "a_disputed_payment_is_not_even_tried",),
    ),
    Mutant(
        "what was sent before stays unknown after a 429",
        (Edit(SENDING, "never = not due.sent and (not executed", "never = (not executed"),),
        (FAULTS + "a_429_after_a_lost_reply_does_not_make_it_known_again",),
    ),
    Mutant(
        "a refusal counts when a look has found nothing",
        (
            Edit(
                JOBS,
                "    except Permanent:\n        if found := account.find_refund(due.payment_intent, due.uuid):\n"
                "            return found\n        raise",
                "    except Permanent:\n        raise",
            ),
        ),
        (FAULTS + "a_refusal_with_a_cards_code_is_definite_too",),
    ),
    Mutant(
        "a refused key stops the queue",
        (Edit(JOBS, "due = None if paused() else begin_sending(refund_id)", "due = begin_sending(refund_id)"),),
        ("tests/refunds/test_pause.py::test_a_refused_key_stops_the_queue_and_is_told_once",),
    ),
    Mutant(
        "one refund goes first when the key works again",
        (Edit(JOBS, "    if due is None or _try(due):\n", "    if due is None or _try(due) or due:\n"),),
        ("tests/refunds/test_pause.py::test_a_key_that_may_read_and_not_write_keeps_it_stopped",),
    ),
    Mutant(
        "shares are amounts that move in their currency",
        (Edit("portal/lib/money.py", "* pieces // whole // step * step", "* pieces // whole"),),
        ("tests/refunds/test_currencies.py::test_three_thirds_are_the_whole_and_nothing_is_left",),
    ),
    Mutant(
        "two approvals of one person see each other",
        (Edit("portal/refunds/limits.py", '    session.refresh(by, with_for_update={"key_share": True})\n', ""),),
        ("tests/refunds/test_races.py::test_one_person_in_two_windows_stays_within_their_day",),
    ),
    Mutant(
        "what went back by hand is proven by a second person",
        (
            Edit(
                "portal/refunds/ways.py",
                'if refund.way == "hand" and refund.approved_by_id == by.id:',
                "if by.id < 0:",
            ),
        ),
        ("tests/refunds/test_ways.py::test_without_a_good_proof_by_a_second_person_it_does_not_count",),
    ),
    Mutant(
        "store credit is spent one after the other",
        (
            Edit(
                "portal/refunds/credit.py",
                "select(StoreCredit.id).where(StoreCredit.id == credit.id).with_for_update()",
                "select(StoreCredit.id).where(StoreCredit.id == credit.id)",
            ),
        ),
        ("tests/refunds/test_races.py::test_store_credit_is_spent_once_however_many_ask",),
    ),
    Mutant(
        "numbers of credit notes have no gaps",
        (
            Edit(
                "portal/refunds/credit_notes.py",
                "int(session.execute(taken.returning(NumberSeries.last)).scalar_one())",
                "(session.scalar(select(CreditNote.number).order_by(CreditNote.number.desc()).limit(1)) or 0) + 1",
            ),
        ),
        ("tests/refunds/test_credit_notes.py::test_papers_written_at_once_have_numbers_without_a_gap",),
    ),
    Mutant("“sent” is said when Stripe says so", (TOLD_AT_ONCE,), (MACHINE,)),
)
