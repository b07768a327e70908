"""How far a share that was counted may be from the true one."""

from math import sqrt

Z = 1.959964
"""Of 100 such intervals 95 hold the true share."""
ENOUGH = 30
"""Of fewer cases than this a share says little and is shown in grey."""


def adjusted_wald(hits: int, cases: int) -> tuple[float, float]:
    """The 95 % interval of a share (Agresti and Coull, 1998), within 0 and 1; everything when nothing was counted.

    Raises ValueError when there are more hits than cases.
    """
    if not 0 <= hits <= cases:
        raise ValueError(f"{hits} of {cases}")
    many = cases + Z**2
    middle = (hits + Z**2 / 2) / many
    reach = Z * sqrt(middle * (1 - middle) / many)
    return (max(0.0, middle - reach), min(1.0, middle + reach)) if cases else (0.0, 1.0)


def adjusted_wald_net(promoters: int, detractors: int, cases: int) -> tuple[float, float]:
    """The 95 % interval of a net score, between -1 and 1: three cases are added, ¾ of one to each side.

    After Lewis and Sauro, MeasuringU, 2021. Everything when nothing was counted. Raises ValueError for more promoters
    and detractors than cases.
    """
    if promoters < 0 or detractors < 0 or promoters + detractors > cases:
        raise ValueError(f"{promoters} and {detractors} of {cases}")
    many = cases + 3
    above, below = (promoters + 0.75) / many, (detractors + 0.75) / many
    net = above - below
    reach = Z * sqrt((above + below - net**2) / many)
    return (max(-1.0, net - reach), min(1.0, net + reach)) if cases else (-1.0, 1.0)
