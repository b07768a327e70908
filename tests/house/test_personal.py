"""What every table knows of customers is declared: in their copy, gone when they are forgotten, or said to stay."""

from collections.abc import Iterator

import pytest
from sqlalchemy import JSON, Column, LargeBinary, String, Table
from sqlalchemy.dialects.postgresql import JSONB

from portal.db import Base
from portal.privacy.copy import TABLES
from portal.privacy.models import KEPT

OF_THE_HOUSE = {
    "api_keys", "buckets", "case_rules", "snippets",
    "channel_readings", "channels", "closed_days", "departments", "erasures", "job_failures",
    "lanes", "closing_parcels", "closings", "manifests", "number_series", "pickup_terms", "retention_terms",
    "seals", "stock_claims", "stock_items", "stock_moves", "stock_places", "transit_times", "vans", "warehouse_hours",
    "article_sizes", "boxes", "claim_terms", "money_limit_changes", "money_limits", "sscc_prefixes", "survey_grounds",
    "survey_occasions", "survey_question_versions", "survey_questions", "survey_terms", "waves",
    "withdrawal_exemptions", "articles", "return_policies", "return_reasons", "review_offers", "drop_offs",
    "score_alarms", "tallies", "causes", "cause_changes", "cause_members",
    *(name for name in Base.metadata.tables if name.startswith("staff")),
}  # fmt: skip
"""Tables about the shop, its people and its shelves."""
FORGOTTEN_BY_NAME = {"inbox_messages", "inbox_refusals", "survey_objections", "word_tallies"}
"""Raw messages are searched for what names the customer; counts and hashes name nobody; words are counted anew."""


def words_in(table: Table) -> set[str]:
    """Columns that can hold what people said or who they are."""
    return {column.name for column in table.columns if isinstance(column.type, String | LargeBinary | JSON | JSONB)}


def undeclared(table: Table) -> Iterator[str]:
    if table.name in OF_THE_HOUSE | FORGOTTEN_BY_NAME:
        return
    kept = next((kept for kept in KEPT if kept.table is table), None)
    if kept is None:
        yield f"{table.name} is in no personal.py"
    elif not kept.gone:
        for name in sorted(words_in(table) - {*kept.taken} - {*kept.stays}):
            yield f"{table.name}.{name} is neither taken out nor said to stay"


@pytest.mark.parametrize("name", sorted(Base.metadata.tables))
def test_it_is_said_what_becomes_of_every_word_about_a_customer(name: str) -> None:
    assert list(undeclared(Base.metadata.tables[name])) == []


def test_a_table_of_which_nobody_said_it_is_found() -> None:
    assert list(undeclared(Table("planted", Base.metadata.__class__(), Column("note", String)))) == [
        "planted is in no personal.py"
    ]


def test_all_that_is_shown_has_a_name_in_the_copy() -> None:
    assert {kept.table.name for kept in KEPT if kept.shown} == set(TABLES) - {"signs"}
