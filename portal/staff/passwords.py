"""Passwords: kept with argon2id, long, and none that a guesser tries first."""

import re

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from flask_babel import gettext as _

from portal.lib.errors import Refused
from portal.staff.rules import LONGEST_PASSWORD, SHORTEST_PASSWORD

hasher = PasswordHasher()  # argon2id, 64 MiB, 3 passes
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$zlyfK5mMXpJLzYhFbTiKJg$HUccXrYkHRUQGHKCddbbqEVh7/PKUmBYXgRKSokajVA"
"""The hash of a password that nobody has, as costly to check as a real one."""

WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    password passwort passwd motdepasse wachtwoord contrasena jelszo pass word secret geheim login admin administrator
    welcome willkommen bienvenue welkom bienvenido letmein changeme default master dragon monkey sunshine princess
    football baseball superman batman shadow michael jordan iloveyou loveyou trustno hello hallo hola computer internet
    summer winter spring autumn sommer herbst january february march april june july august september october november
    december monday tuesday wednesday thursday friday saturday sunday whatever starwars cheese cookie banana chocolate
    flower charlie daniel jessica jennifer ashley thomas andrew joshua killer hunter ranger soccer hockey george
    liverpool chelsea arsenal barcelona berlin hamburg london madrid paris budapest amsterdam google samsung android
    shop store order orders return returns refund refunds parcel warehouse aftersale desk staff office company test demo
    temp temporary the and for you are not
    """,
    )
)
ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1q2w3e4r5t6z7u8i9o0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv",
)
"""Neighbours on a keyboard or in the alphabet, which guessers walk along both ways."""
LEET = str.maketrans("@4310$5!7", "aaeiossit")
LEAST_OF_ONES_OWN = 4
"""How many characters must be left when all that is guessed first is taken away."""


def kept(password: str, *context: str) -> str:
    """The hash of a new password. Raises Refused for one that is too short or guessed at once.

    `context` is what a guesser knows of the person: shop, name, address.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refused(_("A password has at least %(n)s characters.", n=SHORTEST_PASSWORD))
    if easy(password, *context):
        raise Refused(_("That one would be guessed too soon. Three or four words that have nothing to do with you do."))
    return hasher.hash(password)


def matches(known: str, password: str) -> bool:
    try:
        return hasher.verify(known, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def easy(password: str, *context: str) -> bool:
    """Whether little is left without common words, what is known of the person, repetitions and keyboard walks."""
    folded = password.casefold()
    readings = (re.sub(r"[\W_]", "", text) for text in (folded, folded.translate(LEET)))
    return min(_left(text, context) for text in readings) < LEAST_OF_ONES_OWN


def _left(text: str, context: tuple[str, ...]) -> int:
    if len(set(text)) < LEAST_OF_ONES_OWN + 1:
        return 0
    text = _first_round(text)
    known = {word for told in context for word in re.findall(r"[^\W_]{3,}", told.casefold())}
    for word in sorted(known | WORDS, key=len, reverse=True):
        text = text.replace(word, " ")
    return len(set(re.sub(r"[\d ]", "", _without_walks(text))))


def _first_round(text: str) -> str:
    """A text that repeats itself counts once."""
    return text[: (text * 2).index(text, 1)]


def _without_walks(text: str) -> str:
    steps = [row[at : at + 4] for row in (*ROWS, *(row[::-1] for row in ROWS)) for at in range(len(row) - 3)]
    walked = {at + n for step in steps for at in range(len(text) - 3) if text.startswith(step, at) for n in range(4)}
    return "".join(letter for at, letter in enumerate(text) if at not in walked)
