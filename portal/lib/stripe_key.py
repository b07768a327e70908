"""Which of Stripe's two worlds a key opens, and where it may be sent: known before the first call."""

from typing import Literal
from urllib.parse import urlsplit

Mode = Literal["live", "test"]
STRIPE = "https://api.stripe.com"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def mode(key: str, base: str = STRIPE) -> Mode:
    """The key's mode. Raises ValueError for what is no secret key, and for an address that must not be told it."""
    kind, _, rest = key.partition("_")
    mode, _, secret = rest.partition("_")
    if kind not in ("sk", "rk") or mode not in ("live", "test") or not secret.isascii() or not secret.isalnum():
        raise ValueError("is no secret key of Stripe; it begins with rk_live_, sk_live_, rk_test_ or sk_test_")
    parts = urlsplit(base)
    if base.rstrip("/") == STRIPE:
        return "live" if mode == "live" else "test"
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise ValueError(f"would be sent to {base}, which is neither {STRIPE} nor this machine")
    if mode == "live":
        raise ValueError(f"is a live key and would be sent to {base}; only {STRIPE} may know it")
    return "test"
