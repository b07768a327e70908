"""What came by mail: kept raw, once, and worked off later. Only the customer's own word counts by itself."""

from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, select

from portal.adapters import quotes, replies
from portal.db import session
from portal.feedback import cases, mails
from portal.feedback.case_models import Case, CaseAttachment, CaseMessage, find_case
from portal.feedback.forms import tidy
from portal.inbox import actions as inbox
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.mail.actions import come_back
from portal.mail.models import Letter
from portal.orders.timeline import record, words
from portal.pictures.actions import Uploader, attach, keep_draft
from portal.pictures.models import Picture
from portal.pictures.reading import read as read_picture

SOURCE = "mail"
LONGEST = 20_000  # characters of words, and of what is quoted
MOST_FILES = 10
NO_PICTURE = _l("Not kept: only pictures are, since other files may carry programs. Ask for a picture.")

words("case.automatic", staff=_l("An automatic answer came about the case; it counts as nobody's word"))
words("case.unreadable", staff=_l("A mail came about the case that can't be read; it is kept as it came"))


def keep(case_id: int, raw: bytes, sender: str, *, now: datetime) -> bool:
    """Store the mail and owe its reading; whether it is new. The same mail delivered again changes nothing."""
    known_as, came = f"{case_id}:{replies.message_id(raw)}", {"from": sender[:300]}
    stored = inbox.receive(SOURCE, known_as, raw, now=now, topic=f"case:{case_id}", headers=came)
    if stored is not None:
        announce("mail.came", message_id=stored)
    return stored is not None


def work_off(message_id: int, *, now: datetime) -> None:
    """Read one mail that was kept, and do what it means. A second time changes nothing."""
    message = inbox.claim(message_id)
    if message is None:
        return None
    case = find_case(int(message.topic.removeprefix("case:")))
    if case is None:
        return inbox.fail(message, "no such case")
    try:
        mail = replies.read(message.body, message.headers.get("from", ""))
    except replies.Unreadable as why:
        record(case.order_id, "case.unreadable", by="system", now=now)
        return inbox.fail(message, str(why))
    _follow(case, mail, now)
    inbox.finish(message, now=now)
    return None


def _follow(case: Case, mail: replies.Mail, now: datetime) -> None:
    if _is_ours(mail):
        return
    if mail.bounce:
        _note_bounce(case, mail.bounce, now)
    elif mail.automatic:
        record(case.order_id, "case.automatic", by="system", now=now)
    else:
        _hear(case, mail, now)


def _is_ours(mail: replies.Mail) -> bool:
    """One of our own letters that came around, whoever sent it here."""
    letter = exists().where(Letter.message_id == mail.message_id)
    return bool(mails.named_in(mail.sender)) or bool(session.scalar(select(letter)))


def _note_bounce(case: Case, bounce: replies.Bounce, now: datetime) -> None:
    """The letter of this case that did not arrive waits for a person, and so does the case."""
    ours = select(Letter).where(Letter.message_id == bounce.message_id, Letter.about == f"case:{case.id}")
    letter = session.scalar(ours)
    if letter is not None and come_back(letter, bounce.why):
        cases.answer_came_back(case, bounce.status, now=now)


def _hear(case: Case, mail: replies.Mail, now: datetime) -> None:
    said = quotes.fold(mail.text)
    theirs = bool(mail.sender) and mail.sender == (case.order.customer.email or "").lower()
    about = {"mail_id": mail.message_id if mail.message_id.startswith("<") else "", "quoted": _short(said.quoted)}
    stranger = "" if theirs else mail.sender[:300] or "?"
    message = cases.hear_mail(case, _short(said.words), theirs=theirs, now=now, from_address=stranger, **about)
    for file in mail.attached[:MOST_FILES]:
        _keep_file(case, message, file, now)


def _short(said: str) -> str:
    told = tidy(said)
    return told if len(told) <= LONGEST else f"{told[:LONGEST]} […]"


def _keep_file(case: Case, message: CaseMessage, file: replies.Attached, now: datetime) -> None:
    """A picture is made anew and kept; of anything else only what it was called, how large it was, and why not."""
    kept = CaseAttachment(message_id=message.id, name=tidy(file.name)[:100], kind=file.kind[:100], size=len(file.body))
    session.add(kept)
    session.flush()
    if not file.kind.startswith("image/"):
        kept.why_not = str(NO_PICTURE)
        return
    key = f"case-mail:{kept.id}"
    try:
        keep_draft(read_picture(file.body), Uploader(case.order_id, key), now=now)
    except Refused as refused:
        kept.why_not = refused.message
        return
    attach(case.order_id, key, f"case_message:{message.id}")
    kept.picture_id = session.scalar(select(Picture.id).where(Picture.form_key == key))
