"""The body of POST /api/v1/orders: our own channel, for shops that send orders themselves."""

from dataclasses import replace
from datetime import UTC
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

from portal.adapters.channels import IncomingAddress, IncomingLine, IncomingOrder, problems
from portal.adapters.errors import Malformed
from portal.adapters.reading import country, email, language, text
from portal.lib.money import EXPONENTS, TOO_MUCH


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


Words = Annotated[str, BeforeValidator(_clean), Field(max_length=300)]
Key = Annotated[Words, AfterValidator(_filled), Field(max_length=200, json_schema_extra={"minLength": 1})]
Minor = Annotated[int, Field(ge=0, lt=TOO_MUCH, description="Minor units: 1999 is 19.99 EUR and 1999 JPY.")]
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


class Payment(_Part):
    """How it was paid. With a Stripe payment intent, money can be given back from here."""

    captured: Minor
    payment_intent: Annotated[str | None, Field(pattern=r"^pi_[A-Za-z0-9_]{3,200}$")] = None


class OrderBody(_Part):
    """A paid order. Sending the same `external_id` again brings it up to date when `updated_at` is newer."""

    external_id: Key
    number: Key
    placed_at: AwareDatetime
    paid_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    currency: Currency
    total: Minor
    name: Words = ""
    email: Annotated[Words, Field(max_length=320)] = ""
    phone: Annotated[Words, Field(max_length=40)] = ""
    locale: Annotated[Words, Field(description="The customer's language, like de or de-AT.")] = "en"
    address: Address = Address()
    lines: Annotated[list[Line], Field(min_length=1, max_length=1000)]
    payment: Payment

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [line.external_id for line in self.lines]
        if len(set(ids)) < len(ids):
            raise ValueError("each line needs an external_id of its own")
        if self.payment.captured > self.total:
            raise ValueError("payment.captured is more than total")
        return self


class BadOrder(Malformed):
    """The body is no order; `errors` says where and why."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("the order has mistakes")
        self.errors = errors


def parse(raw: bytes, channel: str) -> IncomingOrder:
    """The order in this body, for the channel whose key was used. Raises BadOrder."""
    try:
        body = OrderBody.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise BadOrder([{"field": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in found]) from None
    return incoming(body, channel)


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
    )
    return replace(order, problems=problems.codes(problems.common(order, body.email)))


def _line(line: Line) -> IncomingLine:
    paid = line.unit_price * line.quantity if line.paid is None else line.paid
    return IncomingLine(**{**line.model_dump(), "paid": paid})
