"""What is new in a mail stands first; what is quoted, and who signs, is folded away and never lost."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.adapters.quotes import fold

RULE = "——— Just answer this mail, and write above this line ———"


@pytest.mark.parametrize(
    "mail",
    [
        "It is still broken.\n\n> Sorry!\n> A new one leaves today.",
        "It is still broken.\n\nOn Mon, 23 Nov 2026 at 12:01, Lantern & Loom\n<shop@example.com> wrote:\n\n> Sorry!",
        "It is still broken.\r\n\r\nAm 23.11.2026 um 12:01 schrieb Lantern & Loom:\r\n> Sorry!\r\n",
        "It is still broken.\n\nLe lun. 23 nov. 2026 à 12:01, Lantern & Loom a écrit :\n> Sorry!",
        "It is still broken.\n\nOp ma 23 nov 2026 om 12:01 schreef Lantern & Loom:\n> Sorry!",
        "It is still broken.\n\nEl lun, 23 nov 2026 a las 12:01, Lantern & Loom escribió:\n> Sorry!",
        "It is still broken.\n\nLantern & Loom ezt írta (időpont: 2026. nov. 23., H, 12:01):\n> Sorry!",
        f"It is still broken.\n\nAm 23.11.2026 schrieb Lantern & Loom:\n\n{RULE}\n\nSorry!\nA new one leaves today.",
        f"It is still broken.\n\n> {RULE}\n> Sorry!",
        "It is still broken.\n\n-----Original Message-----\nFrom: Lantern & Loom\nSubject: Our answer\n\nSorry!",
        "It is still broken.\n\n________________________________\nVon: Lantern\nAn: Alice\nBetreff: Antwort\n\nSorry",
        "It is still broken.\n\n-- \nAlice\n0171 555",
        "It is still broken.\n\nSent from my iPhone\n\n> Sorry!",
        "It is still broken.\n\nVon meinem iPhone gesendet",
    ],
)
def test_the_newest_words_stand_first(mail: str) -> None:
    assert fold(mail).words.rstrip("_\n ") == "It is still broken."


def test_what_is_folded_is_kept() -> None:
    assert fold("No.\n\nOn Monday Lantern wrote:\n> Sorry!\n> A new one.").quoted == (
        "On Monday Lantern wrote:\n> Sorry!\n> A new one."
    )


def test_an_answer_under_the_quote_is_found() -> None:
    assert fold(f"On Monday Lantern wrote:\n> {RULE}\n> Sorry!\n\nIt is still broken.").words == "It is still broken."


def test_answers_between_quoted_lines_stay_where_they_are() -> None:
    mail = "See below.\n> Was it the mug?\nYes, the mug.\n> Do you want a new one?\nNo, my money."
    assert fold(mail).words == mail


@pytest.mark.parametrize("mail", ["", "\n\n", "> Sorry!\n> A new one leaves today."])
def test_a_mail_without_words_has_none(mail: str) -> None:
    assert fold(mail).words == ""


@pytest.mark.parametrize(
    "mail", ["From: the beginning, it was broken.", "She wrote:\nhello", "I wrote to you:\n\nnobody answered"]
)
def test_what_only_looks_like_a_quote_is_not_cut(mail: str) -> None:
    assert fold(mail).words == mail


@given(st.text(max_size=300))
def test_no_word_is_lost(mail: str) -> None:
    said = fold(mail)
    kept = said.words + said.quoted
    assert all(part in kept for part in mail.replace("\r\n", "\n").replace("\r", "\n").split() if "———" not in part)


@pytest.mark.parametrize("line", ["> " * 50, "wrote:", "From: a", "-- ", "a " * 50])
def test_a_mail_made_to_take_long_takes_no_time(line: str) -> None:
    began = time.perf_counter()
    fold("\n".join([line] * 4000))
    assert time.perf_counter() - began < 2
