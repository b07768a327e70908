"""What the shop knows of its articles beyond orders: of which type they are, and which are variants of one product."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from flask_babel import gettext as _
from sqlalchemy import Index, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.db.paging import Page, page_of

COLUMNS = ("sku", "product", "type", "variant", "title", "price")
LONGEST, MOST_ROWS, MOST_PRICE = 200, 20_000, 10**9


class Article(Base):
    """An article by its SKU. Those with the same `product` are its variants; `price` is text, "" where unknown."""

    __tablename__ = "articles"
    __table_args__ = (Index("ix_articles_product", "product", "sku"),)
    sku: Mapped[str] = mapped_column(unique=True)
    product: Mapped[str] = mapped_column(default="")
    type: Mapped[str] = mapped_column(default="")
    variant: Mapped[str] = mapped_column(default="")
    title: Mapped[str] = mapped_column(default="")
    price: Mapped[str] = mapped_column(default="")


def articles_of(skus: Collection[str]) -> dict[str, Article]:
    found = select(Article).where(Article.sku.in_([sku for sku in skus if sku]))
    return {article.sku: article for article in session.scalars(found)}


def types() -> list[str]:
    """All product types that some article has."""
    found = select(Article.type).where(Article.type != "").distinct().order_by(Article.type)
    return list(session.scalars(found))


def variants_of(skus: Collection[str]) -> dict[str, list[Article]]:
    """By article, the others of its product that cost the same: what it can be exchanged for."""
    mine = {article.sku: article for article in articles_of(skus).values() if article.product}
    products = {article.product for article in mine.values()}
    found = select(Article).where(Article.product.in_(products)).order_by(Article.variant, Article.sku)
    others = session.scalars(found).all() if products else []
    return {sku: [other for other in others if _fits(mine[sku], other)] for sku in mine}


def _fits(one: Article, other: Article) -> bool:
    return other.sku != one.sku and (other.product, other.price) == (one.product, one.price)


def search(words: str, at: str) -> Page[Article]:
    """One page of the articles whose SKU, product or title has these words."""
    columns = (Article.sku, Article.product, Article.title, Article.type)
    found = select(Article)
    if words:
        found = found.where(or_(*(column.icontains(words, autoescape=True) for column in columns)))
    return page_of(found, Article.product, Article.sku, at=at)


def count() -> int:
    return session.scalar(select(func.count()).select_from(Article)) or 0


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line of the file, and what is wrong with it."""

    line: int
    why: str


def read_sheet(text: str) -> tuple[list[dict[str, str]], list[Mistake]]:
    """The rows of a CSV file with the columns of `COLUMNS` (sku is needed, comma or semicolon), and its mistakes."""
    first = text.lstrip("\ufeff").partition("\n")[0]
    sheet = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), delimiter=";" if ";" in first else ",")
    named = [name.strip().casefold() for name in sheet.fieldnames or ()]
    if "sku" not in named:
        return [], [Mistake(1, _("The first line names the columns; one of them is sku."))]
    sheet.fieldnames = named
    rows, mistakes = [], []
    for number, raw in enumerate(sheet, 2):
        row = {name: (raw.get(name) or "").strip() for name in COLUMNS}
        if why := _wrong(row) if number <= MOST_ROWS else _("There are more than %(n)s lines.", n=MOST_ROWS):
            mistakes.append(Mistake(number, why))
        else:
            rows.append({**row, "price": _price(row["price"])})
    return rows, mistakes[:50]


def _wrong(row: Mapping[str, str]) -> str:
    if not row["sku"]:
        return _("The SKU is missing.")
    if any(len(value) > LONGEST or "\0" in value for value in row.values()):
        return _("That is too long.")
    try:
        good = not row["price"] or 0 <= Decimal(row["price"].replace(",", ".")) < MOST_PRICE
    except InvalidOperation:
        good = False
    return "" if good else _("Write an amount like 4.50.")


def _price(typed: str) -> str:
    """The same price is the same text, however it was written."""
    return f"{Decimal(typed.replace(',', '.')).normalize():f}" if typed else ""


def import_articles(rows: Sequence[Mapping[str, str]]) -> int:
    """Take over a file's rows: an article in it is new or replaced, the others stay. How many articles."""
    by_sku = {row["sku"]: dict(row) for row in rows}
    new = insert(Article).values(list(by_sku.values()))
    changed = {name: new.excluded[name] for name in COLUMNS if name != "sku"}
    session.execute(new.on_conflict_do_update(index_elements=["sku"], set_=changed))
    return len(by_sku)
