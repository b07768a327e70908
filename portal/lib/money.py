"""Money: integer minor units and a currency, never floats.

The exponents are Stripe's (docs.stripe.com/currencies): how many digits the minor unit has where the money moves.
How an amount is shown is another question: ISK and UGX move with two decimals, always zero, and are shown with none.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import format_currency

ZERO = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())  # noqa: SIM905
THREE = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
WHOLE_ONLY = frozenset({"ISK", "UGX"})
TWO = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC
    CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD KES KGS KHR
    KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK
    PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX USD
    UYU UZS WST XCD XCG YER ZAR ZMW
    """.split()  # noqa: SIM905
)
TOO_MUCH = 10**15
CODE_AT_NUMBER = re.compile(r"(?<=[A-Z]{3})(?=\d)")
EXPONENTS: dict[str, int] = {**dict.fromkeys(ZERO, 0), **dict.fromkeys(TWO, 2), **dict.fromkeys(THREE, 3)}


class NotMoney(ValueError):
    """The text or number is no amount of this currency."""


def exponent(currency: str) -> int:
    """Digits of the minor unit, e.g. 2 for EUR. Raises NotMoney for a currency that does not exist."""
    try:
        return EXPONENTS[currency]
    except (KeyError, TypeError):
        raise NotMoney(f"unknown currency: {currency!r}") from None


def to_minor(amount: str | int | Decimal, currency: str) -> int:
    """Minor units of a decimal amount: `to_minor("12.34", "EUR") == 1234`.

    Raises NotMoney for floats, for what is no number, and for more digits than the currency has: to round is to guess.
    """
    if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
        raise NotMoney(f"not an exact amount: {amount!r}")
    try:
        scaled = Decimal(amount).scaleb(exponent(currency))
        minor = int(scaled) if abs(scaled) < TOO_MUCH else TOO_MUCH
    except ArithmeticError:
        raise NotMoney(f"not an amount: {str(amount)[:40]!r}") from None
    if scaled != minor or minor % step(currency) or abs(minor) >= TOO_MUCH:
        raise NotMoney(f"{str(amount)[:40]} does not fit {currency}")
    return minor


def step(currency: str) -> int:
    """Minor units come in these steps: Stripe moves dinars in tens of fils, and ISK and UGX in whole ones."""
    return 10 if currency in THREE else 100 if currency in WHOLE_ONLY else 1


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units of its currency: Money(1234, "EUR") is 12.34 €."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise NotMoney(f"minor units are whole numbers: {self.amount!r}")
        exponent(self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __bool__(self) -> bool:
        return self.amount != 0

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise NotMoney(f"{self.currency} and {other.currency} do not add up")
        return other.amount

    @property
    def decimal(self) -> Decimal:
        return Decimal(self.amount).scaleb(-exponent(self.currency))

    def format(self, locale: str = "en") -> str:
        """The amount as people of that language write it; a code is set apart from the number: CHF 12.00."""
        return CODE_AT_NUMBER.sub("\u00a0", format_currency(self.decimal, self.currency, locale=locale))


def share(total: int, part: int, whole: int, taken: int = 0, *, currency: str = "EUR") -> int:
    """What `part` more pieces of `whole` are worth after `taken` went before: all shares add up to `total`.

    Each is an amount that moves in this currency; the last takes what is left.
    """
    return _up_to(total, taken + part, whole, step(currency)) - _up_to(total, taken, whole, step(currency))


def _up_to(total: int, pieces: int, whole: int, step: int) -> int:
    return total if pieces == whole else total * pieces // whole // step * step
