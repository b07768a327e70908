"""What is kept counted, so that a page over a million answers reads as little as one over a thousand.

No row of these says anything of a person but `Counted`, which knows what an order was counted as: so that it can be
taken out again when anything about it changes, its words above all.
"""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base


class Counted(Base):
    """How an order, or an answer that was cut off from its order, stands in the tallies now.

    `key` is the order's id, or that of the nameless answer with a minus. `marks` are what happened: a measure `m` on a
    day `d`, perhaps of one product `p`, with the numbers that are added for it. `said` is 1, 0 or -1 for a good,
    middling or bad answer with words, whose `stems` are counted.
    """

    __tablename__ = "counted"
    __table_args__ = (
        CheckConstraint("said BETWEEN -1 AND 1", name="said"),
        CheckConstraint("(order_id IS NULL) = (key < 0)", name="key"),
        Index("ix_counted_search", "search", postgresql_using="gin"),
        Index("ix_counted_said", "said_on", "key", postgresql_where="said_on IS NOT NULL"),
    )
    key: Mapped[int] = mapped_column(unique=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    promise: Mapped[str | None]
    back: Mapped[str | None]
    courier: Mapped[str | None]
    country: Mapped[str | None]
    channel: Mapped[str | None]
    language: Mapped[str | None]
    products: Mapped[list[str]] = mapped_column(ARRAY(Text))
    marks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    said_on: Mapped[date | None]
    said: Mapped[int | None]
    stems: Mapped[list[str]] = mapped_column(ARRAY(Text))
    search: Mapped[str | None] = mapped_column(TSVECTOR)


class Tally(Base):
    """How many, of them good and bad, and the sum of their scores: of a measure, in a day or a week, by a dimension.

    With `within` only those are counted that have this value of another dimension as well; such tallies are by week.
    """

    __tablename__ = "tallies"
    __table_args__ = (
        CheckConstraint("grain IN ('day', 'week')", name="grain"),
        UniqueConstraint(
            "grain", "within", "within_value", "measure", "day", "dimension", "value", name="uq_tallies_cell"
        ),
        Index("ix_tallies_across", "dimension", "value", "measure", "day", postgresql_where="within <> ''"),
    )
    grain: Mapped[str]
    within: Mapped[str]
    within_value: Mapped[str]
    measure: Mapped[str]
    day: Mapped[date]
    dimension: Mapped[str]
    value: Mapped[str]
    n: Mapped[int]
    good: Mapped[int]
    bad: Mapped[int]
    total: Mapped[int]


class WordTally(Base):
    """How many answers of a week hold a word, by its stem, of them good and bad; `shown` is how somebody wrote it.

    The empty stem stands for every answer that has words at all. `about` is empty for all answers, else the product
    that was bought, or the reason for which it came back.
    """

    __tablename__ = "word_tallies"
    __table_args__ = (
        UniqueConstraint("about", "language", "stem", "day", name="uq_word_tallies_cell"),
        Index("ix_word_tallies_many", "about", "language", "day", "n"),
        Index("ix_word_tallies_none", "id", postgresql_where="n = 0"),
    )
    about: Mapped[str]
    language: Mapped[str]
    day: Mapped[date]
    stem: Mapped[str]
    shown: Mapped[str]
    n: Mapped[int]
    good: Mapped[int]
    bad: Mapped[int]
