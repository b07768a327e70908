"""The door for mails: says to a mail server who is here, and keeps what it brings."""

from flask import Flask

from portal.db import transaction
from portal.feedback import mail_reading, mails
from portal.inbox.actions import count_refusal
from portal.lib import clock

HERE = "250 2.1.5 OK"
ANSWERS = {
    "yes": HERE,
    "nobody": "550 5.1.1 Nobody has this address",
    "over": "550 5.7.1 This conversation ended long ago. Please write to {email}",
    "later": "450 4.7.1 That is a lot at once; please try again later",
}


class Keeper:
    """Answers in words of SMTP. Each question is a transaction of its own."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def may_come(self, address: str) -> str:
        with self.app.app_context(), transaction():
            verdict = mails.may_come(address, now=clock.now())
            if verdict == "nobody":
                count_refusal(mail_reading.SOURCE, now=clock.now())
            return ANSWERS[verdict].format(email=self.app.config["SETTINGS"].shop_email)

    def keep(self, addresses: list[str], sender: str, raw: bytes) -> str:
        with self.app.app_context(), transaction():
            ids = sorted({int(named) for address in addresses if (named := mails.named_in(address)).isdigit()})
            for case_id in ids:
                mail_reading.keep(case_id, raw, sender, now=clock.now())
        return "250 2.0.0 Kept" if ids else "550 5.1.1 Nobody has this address"
