"""Settings, read from the environment once at start; `.env.example` explains each, a wrong one stops the start."""

import os
import re
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from portal.lib import stripe_key
from portal.lib.money import NotMoney, to_minor

LANGUAGES = ("en", "de", "fr", "nl", "es", "hu")


def spoken(tag: str | None, otherwise: str) -> str:
    """Which of our languages somebody reads who asks for `tag`: de for de-AT; `otherwise` when it is none of ours."""
    language = (tag or "").replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else otherwise


class BadSettings(Exception):
    """One or more settings are missing or wrong; the message says which, in plain words."""


def _listed(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


class Settings(BaseModel):
    """All that a shop can set. Field names are the environment's names in lower case."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    secret_key: str = Field(min_length=32)
    base_url: str = "http://127.0.0.1:8000"
    database_url: str | None = None
    migration_database_url: str | None = None
    var_dir: Path = Path("var")
    erasure_ledger: Path = Path("var/erasures.jsonl")
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    log_format: Literal["text", "json"] = "text"
    metrics_token: str | None = Field(default=None, min_length=16)

    shop_name: str = "Aftersale"
    shop_email: str = "shop@example.com"
    shop_country: str = Field(default="DE", pattern="^[A-Z]{2}$")
    shop_language: str = "en"
    shop_timezone: str = "Europe/Berlin"
    shop_address: str = ""
    shop_privacy_url: str | None = None
    shop_accessibility_url: str | None = None

    mail_server: str = "127.0.0.1"
    mail_port: int = Field(default=1025, ge=1, le=65535)
    mail_username: str | None = None
    mail_password: str | None = None
    mail_use_tls: bool = False
    mail_use_ssl: bool = False
    reply_address: str | None = None
    mail_door: str = Field(default="127.0.0.1:2525", pattern=r"^[^\s:]+:\d{2,5}$")

    staff_second_factor: Literal["required", "off"] = "required"
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = None
    oidc_name: str = "Single sign-on"
    oidc_second_factor: Literal["ours", "theirs"] = "ours"
    oidc_acr: Annotated[list[str], BeforeValidator(_listed)] = []

    stripe_api_key: str | None = None
    stripe_api_base: str = "https://api.stripe.com"
    stripe_webhook_secret: str | None = None
    shopify_webhook_secret: Annotated[list[str], BeforeValidator(_listed)] = []
    woocommerce_webhook_secret: Annotated[list[str], BeforeValidator(_listed)] = []
    checkout_webhook_secret: Annotated[list[str], BeforeValidator(_listed)] = []
    easypost_webhook_secret: Annotated[list[str], BeforeValidator(_listed)] = []
    aftership_webhook_secret: Annotated[list[str], BeforeValidator(_listed)] = []
    shippo_webhook_secret: Annotated[list[str], BeforeValidator(_listed)] = []
    sendcloud_webhook_secret: Annotated[list[str], BeforeValidator(_listed)] = []
    seventeentrack_webhook_secret: Annotated[list[str], BeforeValidator(_listed)] = []

    shopify_url: str | None = None
    shopify_admin_token: str | None = None
    woocommerce_url: str | None = None
    woocommerce_api_key: str | None = None
    woocommerce_api_secret: str | None = None

    easypost_api_key: str | None = None
    easypost_api_base: str = "https://api.easypost.com/v2"
    easypost_label_format: Literal["PDF", "PNG", "ZPL"] = "PDF"
    easypost_tracks: bool = False
    label_printer_dots: Literal[6, 8, 12, 24] = 8
    label_printer_font: str = Field(default="0", pattern=r"^(0|[A-Z]:[A-Z0-9_]{1,16}\.(TTF|TTE|FNT))$")
    ship_from: str = ""
    ship_from_phone: str = ""

    cutoff: time = time(14, 0)
    handling_days: int = Field(default=1, ge=0, le=60)
    transit_days: int = Field(default=2, ge=0, le=60)
    transit_days_abroad: int = Field(default=4, ge=0, le=90)
    survey_after: timedelta = timedelta(days=5)
    return_window_days: int = Field(default=30, ge=14, le=365)
    return_send_days: int = Field(default=14, ge=7, le=90)
    return_address: str = ""
    return_labels: Literal["none", "bought"] = "none"
    return_label_most: Annotated[list[str], BeforeValidator(_listed)] = []
    return_labels_each: int = Field(default=3, ge=1, le=5)
    return_labels_a_day: int = Field(default=50, ge=0, le=10_000)
    return_parcel_grams: int = Field(default=1000, ge=50, le=70_000)
    show_inspection_pictures: bool = True
    withdrawal_notice: bool = True
    standard_delivery: Annotated[list[str], BeforeValidator(_listed)] = []
    partial_withdrawal_delivery: Literal["difference", "share", "nothing"] = "difference"
    delivery_tariff: Annotated[list[str], BeforeValidator(_listed)] = []
    survey_countries_off: Annotated[list[str], BeforeValidator(_listed)] = ["DE"]
    review_sites: Annotated[list[str], BeforeValidator(_listed)] = [
        "trustpilot.com", "google.com", "g.page", "trustedshops.com", "trustedshops.de", "kiyoh.com", "ekomi.de",
        "avis-verifies.com", "reviews.io", "feefo.com",
    ]  # fmt: skip
    link_acts_days: int = Field(default=30, ge=0, le=90)
    case_deadline_hours: int = Field(default=16, ge=1, le=720)

    @field_validator("reply_address")
    @classmethod
    def _an_address_to_answer_to(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9._-]{1,20}@[a-z0-9.-]+\.[a-z]{2,}", value.lower()):
            raise ValueError("is not an address for answers; write it like answers@reply.example.com, without a +")
        return value.lower()

    @field_validator("shop_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is not a time zone; write it like Europe/Berlin")
        return value

    @field_validator("shop_language")
    @classmethod
    def _known_language(cls, value: str) -> str:
        if value not in LANGUAGES:
            raise ValueError(f"is not one of {', '.join(LANGUAGES)}")
        return value

    @field_validator("standard_delivery", "return_label_most")
    @classmethod
    def _prices(cls, value: list[str]) -> list[str]:
        for price in value:
            currency, _, amount = price.partition(":")
            try:
                to_minor(amount, currency)
            except NotMoney as error:
                raise ValueError("is not a list of prices; write it like EUR:4.90,GBP:4.50") from error
        return value

    @field_validator("delivery_tariff")
    @classmethod
    def _tariff(cls, value: list[str]) -> list[str]:
        for step in value:
            try:
                currency, worth, price = step.split(":")
                to_minor(worth, currency), to_minor(price, currency)
            except (ValueError, NotMoney) as error:
                raise ValueError("is not a tariff; write it like EUR:0:4.90,EUR:50:0") from error
        return value

    @field_validator("survey_countries_off")
    @classmethod
    def _countries(cls, value: list[str]) -> list[str]:
        if not all(re.fullmatch("[A-Z]{2}", country) for country in value):
            raise ValueError("is not a list of countries; write it like DE,AT")
        return value

    @field_validator("review_sites")
    @classmethod
    def _sites(cls, value: list[str]) -> list[str]:
        if not all(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", site) for site in value):
            raise ValueError("is not a list of sites; write it like trustpilot.com,kiyoh.com")
        return value

    @field_validator("base_url", "stripe_api_base", "easypost_api_base")
    @classmethod
    def _an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("is not an address; write it like https://orders.example.com")
        return value.rstrip("/")

    @field_validator("shopify_url", "woocommerce_url", "oidc_issuer")
    @classmethod
    def _an_address_that_keeps_secrets(cls, value: str, info: ValidationInfo) -> str:
        parts = urlsplit(value)
        near = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if not parts.netloc or not (parts.scheme == "https" or (parts.scheme == "http" and near)):
            raise ValueError("is not an address with https://; write it like https://lantern.myshopify.com")
        return value if info.field_name == "oidc_issuer" else value.rstrip("/")

    @model_validator(mode="after")
    def _not_the_example(self) -> Self:
        if "change-me" in self.secret_key:
            raise ValueError("SECRET_KEY is still the example; make your own: openssl rand -hex 32")
        return self

    @model_validator(mode="after")
    def _all_of_single_sign_on(self) -> Self:
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret):
            raise ValueError("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET beside it")
        return self

    @model_validator(mode="after")
    def _a_key_that_stripe_may_be_told(self) -> Self:
        if self.stripe_api_key:
            try:
                stripe_key.mode(self.stripe_api_key, self.stripe_api_base)
            except ValueError as error:
                raise ValueError(f"STRIPE_API_KEY {error}") from None
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.shop_timezone)

    @property
    def send_back_to(self) -> list[str]:
        """The lines of the address for returns, without the shop's name."""
        lines = [line.strip() for line in (self.return_address or self.shop_address).replace("\n", ",").split(",")]
        return [line for line in lines if line and line != self.shop_name]

    @property
    def ships_from(self) -> list[str]:
        """The lines of the address from which parcels start: the street first, postcode and town last."""
        lines = [line.strip() for line in (self.ship_from or self.shop_address).replace("\n", ",").split(",")]
        return [line for line in lines if line and line != self.shop_name]

    def usual_delivery(self, currency: str) -> int | None:
        """Minor units of the cheapest usual delivery, when the shop says so."""
        prices = dict(price.split(":", 1) for price in self.standard_delivery)
        return to_minor(prices[currency], currency) if currency in prices else None

    def return_label_limit(self, currency: str) -> int | None:
        """Minor units that a label for the way back may cost at the most; None where none is bought."""
        prices = dict(price.split(":", 1) for price in self.return_label_most)
        return to_minor(prices[currency], currency) if currency in prices else None

    def delivery_price(self, worth: int, currency: str) -> int | None:
        """Minor units of delivery for goods worth so many, by the shop's tariff; None where it has none for that."""
        steps = [step.split(":") for step in self.delivery_tariff]
        known = [(to_minor(least, money), to_minor(price, money)) for money, least, price in steps if money == currency]
        reached = [(least, price) for least, price in known if least <= worth]
        return max(reached)[1] if reached else None

    @property
    def https(self) -> bool:
        return self.base_url.startswith("https://")

    def flask(self) -> dict[str, object]:
        """The same, under the names that Flask and its extensions read."""
        return {
            "SETTINGS": self,
            "SECRET_KEY": self.secret_key,
            "MAX_CONTENT_LENGTH": 1_000_000,
            "MAX_FORM_MEMORY_SIZE": 500_000,
            "SESSION_COOKIE_NAME": "__Host-session" if self.https else "session",
            "SESSION_COOKIE_SECURE": self.https,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "WTF_CSRF_TIME_LIMIT": None,
            "WTF_CSRF_SSL_STRICT": False,
            "BABEL_DEFAULT_LOCALE": self.shop_language,
            "BABEL_DEFAULT_TIMEZONE": self.shop_timezone,
            "BABEL_TRANSLATION_DIRECTORIES": "translations",
            "MAIL_SERVER": self.mail_server,
            "MAIL_PORT": self.mail_port,
            "MAIL_USERNAME": self.mail_username,
            "MAIL_PASSWORD": self.mail_password,
            "MAIL_USE_TLS": self.mail_use_tls,
            "MAIL_USE_SSL": self.mail_use_ssl,
            "MAIL_DEFAULT_SENDER": (self.shop_name, self.shop_email),
        }


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. `NAME_FILE` names a file that holds the value of NAME. Raises BadSettings."""
    given = _with_files(os.environ if environ is None else environ)
    values = {name: given[name.upper()] for name in Settings.model_fields if given.get(name.upper(), "") != ""}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BadSettings("\n".join(_sentence(e["loc"], e["msg"], e["type"]) for e in error.errors())) from None


def _with_files(environ: Mapping[str, str]) -> dict[str, str]:
    given = dict(environ)
    for name in Settings.model_fields:
        if path := environ.get(f"{name.upper()}_FILE"):
            try:
                given[name.upper()] = Path(path).read_text().strip()
            except OSError as error:
                raise BadSettings(f"{name.upper()}_FILE names {path}, which can't be read: {error.strerror}.") from None
    return given


def _sentence(where: tuple[int | str, ...], message: str, kind: str) -> str:
    name = str(where[0]).upper() if where else ""
    if kind == "missing":
        return f"{name} is missing. See .env.example."
    return f"{name}: {message.removeprefix('Value error, ')}." if name else f"{message.removeprefix('Value error, ')}."
