"""The body of POST /api/v1/orders: our own channel, for shops that send orders themselves."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from portal.adapters.channels import IncomingAddress, IncomingLine, IncomingOrder, IncomingRefund, problems
from portal.adapters.errors import Malformed
from portal.adapters.reading import OUR_TIMES, country, document, email, language, text
from portal.lib.money import EXPONENTS, TOO_MUCH


def _in_our_times(value: datetime) -> datetime:
    if value.year not in OUR_TIMES[1:-1]:
        raise ValueError(f"must lie between the years {OUR_TIMES.start} and {OUR_TIMES.stop}")
    return value


def _known_currency(value: str) -> str:
    if value not in EXPONENTS:
        raise ValueError(f"{value} is no currency we know; write its three letters, like EUR")
    return value


def _clean(value: object) -> object:
    return text(value, 2000) if isinstance(value, str) else value


def _filled(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _told_apart(lines: "list[Line]") -> "list[Line]":
    if len({line.external_id for line in lines}) < len(lines):
        raise ValueError("must each have an external_id of their own")
    return lines


Words = Annotated[str, BeforeValidator(_clean), Field(max_length=300)]
Key = Annotated[Words, AfterValidator(_filled), Field(max_length=200, json_schema_extra={"minLength": 1})]
Minor = Annotated[int, Field(ge=0, lt=TOO_MUCH, description="Minor units: 1999 is 19.99 EUR and 1999 JPY.")]
Moment = Annotated[AwareDatetime, AfterValidator(_in_our_times), Field(examples=["2026-11-23T14:30:00+01:00"])]
Currency = Annotated[
    str, AfterValidator(_known_currency), Field(description="Three capitals, ISO 4217.", examples=["EUR"])
]


class _Part(BaseModel):
    """A name that is misspelt is an error, never ignored; numbers are numbers, texts are texts."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Address(_Part):
    """Where the parcel goes."""

    name: Words = ""
    company: Words = ""
    street: Words = ""
    street2: Words = ""
    postcode: Annotated[Words, Field(max_length=20)] = ""
    city: Words = ""
    region: Words = ""
    country: Annotated[Words, Field(description="Two letters, ISO 3166-1.", examples=["DE"])] = ""


class Line(_Part):
    """What was bought, or what it cost to send it (`kind` shipping)."""

    external_id: Key
    kind: Literal["item", "shipping"] = "item"
    sku: Annotated[Words, Field(max_length=100)] = ""
    title: Key
    variant: Words = ""
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    unit_price: Minor
    paid: Annotated[
        Minor | None,
        Field(
            description="What all pieces really cost, discounts and tax included; if left out, unit_price × quantity."
        ),
    ] = None

    @property
    def worth(self) -> int:
        return self.unit_price * self.quantity if self.paid is None else self.paid

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.worth >= TOO_MUCH:
            raise ValueError("unit_price × quantity is more than anybody pays")
        return self


class Payment(_Part):
    """How it was paid. With a Stripe payment intent, money can be given back from here."""

    captured: Minor
    payment_intent: Annotated[str | None, Field(pattern=r"^pi_[A-Za-z0-9_]{3,200}$")] = None


class GivenBack(_Part):
    """Money that you gave back yourself; each `external_id` counts once."""

    external_id: Key
    amount: Minor
    given_at: Moment


class OrderBody(_Part):
    """A paid order. Sending the same `external_id` again brings it up to date when `updated_at` is newer."""

    external_id: Key
    number: Key
    placed_at: Moment
    paid_at: Moment | None = None
    updated_at: Moment | None = None
    currency: Currency
    total: Minor
    name: Words = ""
    email: Annotated[Words, Field(max_length=320)] = ""
    phone: Annotated[Words, Field(max_length=40)] = ""
    locale: Annotated[Words, Field(description="The customer's language, like de or de-AT.")] = "en"
    address: Address = Address()
    lines: Annotated[list[Line], Field(min_length=1, max_length=1000), AfterValidator(_told_apart)]
    payment: Payment
    cancelled: Annotated[bool, Field(description="Nothing of it is to be sent.")] = False
    test: Annotated[bool, Field(description="Kept, but not promised and not sent.")] = False
    refunds: Annotated[list[GivenBack], Field(max_length=1000)] = []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.payment.captured > self.total:
            raise ValueError("payment.captured must not be more than total")
        return self


@dataclass(frozen=True, slots=True)
class Mistake:
    """Where in the body (a JSON pointer; nothing for all of it), and what is wrong there."""

    pointer: str
    message: str


class BadOrder(Exception):
    """JSON, but no order; `mistakes` says where and why."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("the order has mistakes")
        self.mistakes = mistakes


def parse(raw: bytes, channel: str) -> IncomingOrder:
    """The order in this body, for the channel whose key was used. Raises Malformed for what is no JSON, or BadOrder."""
    document(raw)
    try:
        body = OrderBody.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise Malformed(f"not JSON: {found[0]['ctx']['error']}") from None
        raise BadOrder([_mistake(one) for one in found]) from None
    return incoming(body, channel)


def _mistake(error: ErrorDetails) -> Mistake:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in error["loc"])
    words, context = WORDS.get(error["type"]), error.get("ctx", {})
    message = words.format(**context) if words else error["msg"].removeprefix("Value error, ")
    return Mistake("".join(f"/{step}" for step in steps), message)


A_TIME = "must be a time with its offset, like 2026-11-23T14:30:00+01:00"
WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be a text",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must look like {pattern}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}",
    "literal_error": "must be {expected}",
    "model_type": "must be an object",
    "datetime_type": A_TIME,
    "datetime_parsing": A_TIME,
    "datetime_from_date_parsing": A_TIME,
    "timezone_aware": A_TIME,
}


def incoming(body: OrderBody, channel: str) -> IncomingOrder:
    """The order, with what is odd about it."""
    lines = tuple(_line(line) for line in body.lines)
    address = IncomingAddress(**{**body.address.model_dump(), "country": country(body.address.country)})
    order = IncomingOrder(
        channel=channel,
        external_id=body.external_id,
        number=body.number,
        placed_at=body.placed_at.astimezone(UTC),
        paid_at=(body.paid_at or body.placed_at).astimezone(UTC),
        updated_at=(body.updated_at or body.placed_at).astimezone(UTC),
        currency=body.currency,
        total=body.total,
        captured=body.payment.captured,
        lines=lines,
        address=address,
        name=body.name or address.name,
        email=email(body.email),
        phone=body.phone or None,
        locale=language(body.locale),
        payment_intent=body.payment.payment_intent,
        reconciled=sum(line.paid for line in lines) == body.total,
        cancelled=body.cancelled,
        test=body.test,
        refunds=tuple(
            IncomingRefund(one.external_id, one.amount, one.given_at.astimezone(UTC)) for one in body.refunds
        ),
    )
    return replace(order, problems=problems.codes(problems.common(order, body.email)))


def _line(line: Line) -> IncomingLine:
    return IncomingLine(**{**line.model_dump(), "paid": line.worth})
