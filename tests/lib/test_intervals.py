"""How sure a share is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.lib.intervals import adjusted_wald, adjusted_wald_net


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


def test_a_net_score_of_nothing_may_be_anything():
    assert adjusted_wald_net(0, 0, 0) == (-1, 1)


def test_a_net_score_as_measuring_u_works_it_out():
    """67 and 10 of 100 are taken for 67.75 and 10.75 of 103: 0.553, and a reach of 0.130."""
    assert adjusted_wald_net(67, 10, 100) == pytest.approx((0.423, 0.684), abs=0.0005)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
def test_a_net_interval_holds_the_adjusted_score_and_stays_on_its_scale(promoters, detractors, others):
    cases = promoters + detractors + others
    low, high = adjusted_wald_net(promoters, detractors, cases)
    assert -1 <= low <= (promoters - detractors) / (cases + 3) <= high <= 1


def test_a_net_score_of_more_than_there_were_is_refused():
    with pytest.raises(ValueError, match="6 and 5 of 10"):
        adjusted_wald_net(6, 5, 10)
