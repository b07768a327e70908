"""How sure a share is."""

import pytest

from portal.lib.intervals import adjusted_wald


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.3209), (5, 10, 0.2366, 0.7634), (10, 10, 0.6791, 1), (80, 100, 0.7105, 0.8671)],
)
def test_the_interval_is_that_of_agresti_and_coull(hits: int, cases: int, low: float, high: float) -> None:
    assert adjusted_wald(hits, cases) == pytest.approx((low, high), abs=0.0005)


@pytest.mark.parametrize(("hits", "cases"), [(2, 1), (-1, 3)])
def test_more_hits_than_cases_are_no_share(hits: int, cases: int) -> None:
    with pytest.raises(ValueError, match="of"):
        adjusted_wald(hits, cases)
