"""Numbers of our own, with a digit that finds typing mistakes."""

import pytest

from portal.adapters.couriers import own


def test_a_number_of_ours_checks_itself() -> None:
    numbers = {own.new_number() for _ in range(200)}
    assert len(numbers) == 200
    for number in numbers:
        assert number.startswith("AS")
        assert len(number) == 14
        assert own.check_digit(number[2:-1]) == int(number[-1])


def test_the_check_digit_is_that_of_the_labels_standard() -> None:
    assert own.check_digit("09012345000000001") == 1  # the example SSCC of the label's standard
    assert own.check_digit("629104150021") == 3


@pytest.mark.parametrize("place", range(11))
def test_every_single_wrong_digit_is_found(place: int) -> None:
    digits = "48213770519"
    for wrong in set("0123456789") - {digits[place]}:
        assert own.check_digit(digits[:place] + wrong + digits[place + 1 :]) != own.check_digit(digits)
