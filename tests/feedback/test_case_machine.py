"""A case under everything at once: people answer, leave, are away and come back, customers change their minds, on the
page and by mail, letters come back, workers restart.

After every watch each unsolved case has an owner who is here; its clock moves only when the customer speaks, or when
our answer did not reach them.
"""

import os
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from portal.db import db, session
from portal.feedback import cases, mail_reading, watching
from portal.feedback.case_models import UNSOLVED, Case
from portal.feedback.deadlines import deadline
from portal.inbox.models import InboxMessage
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.staff import absences
from portal.staff.models import Department, Staff, StaffAbsence
from portal.staff.rules import Role
from tests.feedback.scenes import case_of, invited
from tests.world import found

PEOPLE = st.sampled_from(["sam", "rita"])
HOURS = st.sampled_from([1, 4, 20, 60, 400])

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "5"))
"""Few in the suite; `make machine` tries many."""


class MakingItRight(RuleBasedStateMachine):
    """Alice's case. Max, the manager, is always here; everybody else comes and goes."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.settings, self.now, self.undo = app.config["SETTINGS"], clock.now(), ExitStack()
        session.remove()
        connection: Any = db.engine
        nested = connection.begin_nested()
        self.undo.callback(nested.rollback)
        self.undo.callback(session.remove)
        order = found().alice
        invited(order, due_at=self.now, sent_at=self.now)
        session.commit()
        self.person("rita").role = "support"
        session.scalars(select(Department).where(Department.code == "support")).one().deputy_id = self.person("rita").id
        session.commit()
        self.id, self.mails = case_of(order).id, 0
        self.due_at, self.watched = self.case.due_at, False

    @property
    def case(self) -> Case:
        return session.get_one(Case, self.id)

    def person(self, name: str) -> Staff:
        return session.scalars(select(Staff).where(Staff.name == name.title())).one()

    def _try(self, act: Any) -> None:
        """What is refused changes nothing; all the rest is kept."""
        try:
            act()
            session.commit()
        except Refused:
            session.rollback()
        self.watched = False

    def _spoke(self, before: str, may_set: bool) -> None:
        """The customer's word starts the clock anew unless it was running."""
        if may_set and before != self.case.state and self.case.state == "open":
            self.due_at = deadline(self.now)

    @initialize(gone=st.booleans())
    def its_owner_may_be_gone_already(self, gone: bool) -> None:
        if gone:
            self.somebody_leaves_or_comes_back("sam")
            self.time_passes_and_the_watch_goes_round(1, restarts=False)

    @rule(name=PEOPLE, asks=st.booleans())
    def somebody_answers(self, name: str, asks: bool) -> None:
        by, seen = self.person(name), self.case.last_message_id
        self._try(lambda: cases.reply(self.case, "We are sorry.", asks=asks, seen=seen, by=by, now=self.now))

    @rule(words=st.sampled_from(["Still broken.", "Hello?", "And now?"]))
    def the_customer_writes(self, words: str) -> None:
        before = self.case.state
        self._try(lambda: cases.write_to_shop(self.case, words, now=self.now))
        self._spoke(before, may_set=True)

    @rule(theirs=st.booleans(), again=st.booleans(), restarts=st.booleans())
    def a_mail_comes(self, theirs: bool, again: bool, restarts: bool) -> None:
        """Perhaps twice, perhaps from a stranger; a worker that restarts begins it anew."""
        before, self.mails = self.case.state, self.mails + 1
        sender = "alice@example.org" if theirs else "eve@example.net"
        raw = f"From: {sender}\r\nMessage-ID: <{self.mails}@x>\r\n\r\nStill broken ({self.mails}).".encode()
        for _ in range(1 + again):
            mail_reading.keep(self.id, raw, sender, now=self.now)
            session.commit()
        stored = session.scalars(select(InboxMessage.id).order_by(InboxMessage.id.desc()).limit(1)).one()
        if restarts:
            mail_reading.work_off(stored, now=self.now)
            session.rollback()
        for _ in range(1 + again):
            self._try(lambda: mail_reading.work_off(stored, now=self.now))
        assert sum(f"({self.mails})" in message.words for message in self.case.messages) == 1
        self._spoke(before, may_set=theirs)

    @rule()
    def our_answer_comes_back(self) -> None:
        before = self.case.state
        self._try(lambda: cases.answer_came_back(self.case, "5.1.1", now=self.now))
        self._spoke(before, may_set=True)

    @rule(which=st.integers(0, 5))
    def somebody_says_that_a_stranger_was_the_customer(self, which: int) -> None:
        strange, before = [one.id for one in self.case.messages if not one.counts], self.case.state
        if strange:
            by, chosen = self.person("sam"), strange[which % len(strange)]
            self._try(lambda: cases.take_as_theirs(self.case, chosen, by=by, now=self.now))
            self._spoke(before, may_set=True)

    @rule(name=PEOPLE, days=st.sampled_from([0, 1, 10]))
    def somebody_is_away(self, name: str, days: int) -> None:
        person, first = self.person(name), shop_day(self.now)
        self._try(lambda: absences.go_away(person, first, first + timedelta(days=days), by=person, now=self.now))

    @rule()
    def everybody_is_here_after_all(self) -> None:
        for absence in session.scalars(select(StaffAbsence)).all():
            absences.come_back(absence.id, by=absence.staff, now=self.now)
        session.commit()

    @rule(solved=st.booleans())
    def the_customer_decides(self, solved: bool) -> None:
        before, say = self.case.state, cases.say_solved if solved else cases.say_not_solved
        self._try(lambda: say(self.case, now=self.now))
        self._spoke(before, may_set=not solved)

    @rule(name=PEOPLE)
    def somebody_takes_it(self, name: str) -> None:
        to, owner = self.person(name), self.case.owner_id
        self._try(lambda: cases.assign(self.case, to, instead_of=owner, by=to, now=self.now))

    @rule(name=PEOPLE)
    def somebody_leaves_or_comes_back(self, name: str) -> None:
        person = self.person(name)
        person.disabled_at = None if person.disabled_at else self.now
        session.commit()
        self.watched = False

    @rule(hours=HOURS, restarts=st.booleans())
    def time_passes_and_the_watch_goes_round(self, hours: int, restarts: bool) -> None:
        self.now += timedelta(hours=hours)
        self._watch(restarts)
        if restarts:
            self._watch(restarts=False)
        self.watched = True

    def _watch(self, restarts: bool) -> None:
        """A worker's round; one that restarts loses what it did not commit."""
        for listed, act in (
            (watching.without_owner(now=self.now), watching.give_an_owner),
            (watching.overdue(now=self.now), watching.send_up),
            (watching.silent(now=self.now), watching.close_silent),
        ):
            for case_id in listed:
                act(case_id, now=self.now)
                if restarts:
                    session.rollback()
                    session.remove()
                    return
                session.commit()

    @invariant()
    def it_has_an_owner_and_after_a_watch_one_who_is_here(self) -> None:
        if self.case.state in UNSOLVED:
            owner = session.get_one(Staff, self.case.owner_id)
            here = select(Staff.id).where(Staff.id == owner.id, absences.is_here(self.now))
            assert not self.watched or session.scalar(here)

    @invariant()
    def its_clock_moves_only_when_the_customer_speaks(self) -> None:
        if self.case.state == "open":
            assert self.case.due_at == self.due_at

    @invariant()
    def what_is_late_twice_over_is_a_managers_matter(self) -> None:
        late = self.watched and self.case.state == "open" and self.now > deadline(self.due_at)
        assert not late or session.get_one(Staff, self.case.owner_id).role == Role.manager or self._taken_since()

    def _taken_since(self) -> bool:
        """Somebody may take it over from the manager, who then knows."""
        return self.case.escalated == watching.TOP

    @invariant()
    def only_the_customer_solves_and_only_silence_closes(self) -> None:
        case = self.case
        assert (case.solved_at is not None) == (case.state == "solved")
        assert (case.closed_at is not None) == (case.state == "closed")
        if case.state == "closed":
            assert _last_word(case) < self.now - timedelta(days=14)

    def teardown(self) -> None:
        self.undo.close()


def _last_word(case: Case) -> datetime:
    return case.messages[-1].at


def test_a_case_never_loses_its_owner_or_its_clock(world, app):
    how = settings(
        max_examples=EXAMPLES, stateful_step_count=15, deadline=None, database=None, derandomize=True,
        phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(lambda: MakingItRight(app), settings=how)
