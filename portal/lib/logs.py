"""Logs hold no secret and nobody's data: tokens are cut short, and rows that the database quotes are left out.

A message is one line, whatever a stranger put into it. Every line says which request or job it belongs to.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from flask.logging import default_handler
from pythonjsonlogger.json import JsonFormatter

from portal.lib.tokens import ALPHABET, LINK_LENGTH

KEPT = 6
TOKEN = re.compile(rf"\b([{ALPHABET}]{{{KEPT}}})[{ALPHABET}]{{{LINK_LENGTH - KEPT}}}\b")
QUOTED_ROW = re.compile(r"^(DETAIL|CONTEXT):.*$", re.MULTILINE)


NOTHING: Mapping[str, str] = MappingProxyType({})
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=NOTHING)
COLUMNS = ("asctime", "levelname", "name", "message")


@contextmanager
def about(**facts: str) -> Iterator[None]:
    """Within this block every line that is logged carries these facts, a request's or a job's number."""
    token = _about.set(facts)
    try:
        yield
    finally:
        _about.reset(token)


def to_stderr(style: str) -> None:
    """Have all programs of the portal log as `text` for people or as `json` for machines."""
    handler = logging.StreamHandler()
    handler.addFilter(Masked())
    handler.addFilter(Related())
    if style == "json":
        handler.setFormatter(JsonFormatter(COLUMNS, rename_fields={"asctime": "at", "levelname": "level"}))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s%(related)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("portal").removeHandler(default_handler)  # Flask's, which would say every line once more


def mask(text: str) -> str:
    """The text with six characters left of each token and without the values that PostgreSQL's errors quote."""
    return QUOTED_ROW.sub(r"\1: …", TOKEN.sub(r"\1…", text))


def one_line(text: str) -> str:
    """The text with line ends, colours and all else that can't be seen spelled out."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class Masked(logging.Filter):
    """Masks the message and the traceback of every record that passes."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.__dict__.get("masked") == record.msg and not record.args:
            return True
        record.msg, record.args = one_line(mask(record.getMessage())), ()
        record.masked = record.msg
        if record.exc_info:
            record.exc_text = mask(logging.Formatter().formatException(record.exc_info))
        return True


class Related(logging.Filter):
    """Adds what the line is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        facts = _about.get()
        record.__dict__.update(facts)
        record.related = "".join(f" [{name} {value}]" for name, value in facts.items())
        return True
