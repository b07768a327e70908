"""A file of what lies where, whatever people make of it."""

import pytest

from portal.adapters.stock_sheet import BadStockSheet, Counted, Mistake, read


def test_a_row_is_an_article_at_a_place() -> None:
    found, mistakes = read("\ufeffSKU;on_hand;place;low_at\nVASE;3;Cellar;2\n\nMUG;0\n")
    assert found == [Counted(2, "VASE", 3, "Cellar", "", 2), Counted(4, "MUG", 0)]
    assert mistakes == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",3", "the SKU is missing"),
        ("VASE,three", "whole numbers"),
        ("VASE,-1", "whole numbers"),
        ("VASE,1.5", "whole numbers"),
        ("VASE,٣", "whole numbers"),
        ("VASE,99999999999", "whole numbers"),
        ("V" * 201 + ",1", "can't be read"),
        ("V\x00,1", "can't be read"),
        ("MUG,2", "twice"),
    ],
)
def test_a_row_that_says_something_impossible_comes_back(row: str, words: str) -> None:
    found, (mistake,) = read(f"sku,on_hand\nMUG,1\n{row}\n")
    assert found == [Counted(2, "MUG", 1)]
    assert isinstance(mistake, Mistake)
    assert (mistake.row, words in mistake.words) == (3, True)


@pytest.mark.parametrize("text", ["", "sku\n", "sku,on_hand,colour\n", "sku,on_hand,sku\n", 'sku,on_hand\n"V'])
def test_a_file_with_other_columns_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(BadStockSheet):
        read(text)
