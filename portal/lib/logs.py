"""Logs hold no secret and nobody's data: tokens are cut short, and rows that the database quotes are left out."""

import logging
import re

from portal.lib.tokens import ALPHABET, LINK_LENGTH

KEPT = 6
TOKEN = re.compile(rf"\b([{ALPHABET}]{{{KEPT}}})[{ALPHABET}]{{{LINK_LENGTH - KEPT}}}\b")
QUOTED_ROW = re.compile(r"^(DETAIL|CONTEXT):.*$", re.MULTILINE)


def mask(text: str) -> str:
    """The text with six characters left of each token and without the values that PostgreSQL's errors quote."""
    return QUOTED_ROW.sub(r"\1: …", TOKEN.sub(r"\1…", text))


class Masked(logging.Filter):
    """Masks the message and the traceback of every record that passes."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = mask(logging.Formatter().formatException(record.exc_info))
        return True
