"""Reading what other systems send: every helper takes any JSON value and never crashes."""

import hmac
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, NoReturn

from babel import Locale
from email_validator import EmailNotValidError, validate_email

from portal.adapters.errors import Malformed

NOT_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
COUNTRIES = frozenset(c for c in map(str, Locale("en").territories) if len(c) == 2 and c.isalpha()) - NOT_COUNTRIES
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
OUR_TIMES = range(2000, 2100)
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
JOINERS = {"\u200c", "\u200d"}


def document(raw: bytes) -> dict[str, Any]:
    """The JSON object in these bytes, fractions as Decimal. Raises Malformed for anything else."""
    try:
        value = json.loads(raw.decode(), parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_named_once)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Malformed(f"not JSON: {_why(error)}") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; what stands in it twice may be read one way here and another way there."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _why(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"{error.msg}, line {error.lineno}, column {error.colno}"
        case UnicodeDecodeError():
            return "it is not in UTF-8"
        case RecursionError():
            return "it is nested too deeply"
    return "a number is too large" if "limit" in str(error) or isinstance(error, ArithmeticError) else str(error)


def part(value: Any) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def parts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; what is none is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any, limit: int = 200) -> str:
    """A line of text as it can be stored and shown: no control or direction characters, no lone surrogates."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int):
        return str(value) if abs(value) < 10**limit else ""
    clean = value if value.isascii() and value.isprintable() else "".join(filter(_printable, value))
    return " ".join(clean.split())[:limit].strip()


def _printable(char: str) -> bool:
    return char.isspace() or char in JOINERS or unicodedata.category(char) not in UNPRINTABLE


def first(*values: Any, limit: int = 200) -> str:
    """The first of these that is a text with something in it."""
    return next((found for value in values if (found := text(value, limit))), "")


def key(value: Any) -> str:
    """An identifier, as a string. Raises Malformed when there is none."""
    found = text(value)
    if not found:
        raise Malformed("an identifier is missing")
    return found


def moment(value: Any) -> tuple[datetime, bool] | None:
    """The time in UTC, and whether it came without an offset and UTC was assumed; None when it is none of our times."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        assumed = read.tzinfo is None
        when = read.replace(tzinfo=UTC) if assumed else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (when, assumed) if when.year in OUR_TIMES else None


def unix_moment(value: Any) -> datetime | None:
    """The time of a Unix time stamp, in seconds or milliseconds; None when it is none of our times."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**14:
        return None
    when = datetime.fromtimestamp(value / 1000 if value > 10**11 else value, UTC)
    return when if when.year in OUR_TIMES else None


def day(value: Any) -> date | None:
    """The day that a date or a time stamp begins with, as written, or nothing."""
    try:
        return date.fromisoformat(text(value, 60)[:10])
    except ValueError:
        return None


def email(value: Any) -> str | None:
    """The address when mail can be sent to it."""
    try:
        return validate_email(text(value, 320), check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def country(value: Any) -> str:
    """The two-letter code of a country that exists, or nothing."""
    code = text(value, 20).upper()
    return code if code in COUNTRIES else ""


def language(value: Any, default: str = "en") -> str:
    """A language tag such as `de-AT`, or the default."""
    tag = text(value, 40)
    return tag if LANGUAGE_TAG.fullmatch(tag) else default


def header(headers: Mapping[str, str], *names: str) -> str:
    """The first of these headers that is there, whatever its case."""
    given = {name.lower(): value for name, value in headers.items()}
    return next((given[name.lower()] for name in names if given.get(name.lower())), "")


def hmac_sha256(secret: str, raw: bytes) -> bytes:
    return hmac.new(secret.encode("utf-8", "surrogatepass"), raw, sha256).digest()


def same(given: str, expected: Iterable[str]) -> bool:
    """Whether the signature is one of the expected, in constant time for each."""
    sent = given.encode("utf-8", "surrogatepass")
    return sum(hmac.compare_digest(sent, one.encode()) for one in expected) > 0
