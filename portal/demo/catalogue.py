"""The demo's shop: what Lantern & Loom sells, in three languages, and the people who buy there. All made up."""

import csv
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from portal.adapters.channels import IncomingAddress, IncomingLine

SHOP = Path(__file__).parent / "shop"


@dataclass(frozen=True, slots=True)
class Product:
    """A thing for the home; prices in minor units."""

    sku: str
    eur: int
    gbp: int
    variant: str
    titles: dict[str, str]

    def line(self, person: "Person", key: str, quantity: int = 1, kind: str = "item") -> IncomingLine:
        """The line of an order in which this person buys it."""
        price = self.gbp if person.currency == "GBP" else self.eur
        title = self.titles[person.language]
        return IncomingLine(key, title, quantity, price, price * quantity, self.sku, self.variant, kind)


@dataclass(frozen=True, slots=True)
class Person:
    """A customer."""

    name: str
    language: str
    currency: str
    street: str
    postcode: str
    city: str
    country: str

    @property
    def email(self) -> str:
        plain = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode().lower()
        return (".".join(re.findall(r"[a-z0-9-]+", plain)) or "somebody") + "@example.org"

    @property
    def address(self) -> IncomingAddress:
        return IncomingAddress(
            name=self.name, street=self.street, postcode=self.postcode, city=self.city, country=self.country
        )


def _rows(name: str) -> list[dict[str, str]]:
    with (SHOP / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def _product(row: dict[str, str]) -> Product:
    titles = {language: row[language] for language in ("en", "de", "fr")}
    return Product(row["sku"], int(row["eur"]), int(row["gbp"]), row["variant"], titles)


PRODUCTS = {row["sku"]: _product(row) for row in _rows("products.csv")}
DELIVERY = Product("", 490, 450, "", {"en": "Standard delivery", "de": "Standardversand", "fr": "Livraison standard"})
PEOPLE = [Person(**row) for row in _rows("people.csv")]
