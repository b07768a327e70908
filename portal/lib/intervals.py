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
