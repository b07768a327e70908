"""Lists whose thousandth page costs what the first does: indexes in their order."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

INSPECT, SOLVED = "goods = 'received' AND inspected_at IS NULL", "state IN ('solved', 'closed')"


def upgrade() -> None:
    op.create_index("ix_returns_to_inspect", "returns", ["id"], postgresql_where=INSPECT)
    keys = [sa.text("(solved_at IS NOT NULL)"), "solved_at", "id"]
    op.create_index("ix_cases_solved", "cases", keys, postgresql_where=SOLVED)
    op.drop_index("ix_articles_product", "articles")
    op.create_index("ix_articles_product", "articles", ["product", "sku"])


def downgrade() -> None:
    op.drop_index("ix_articles_product", "articles")
    op.create_index("ix_articles_product", "articles", ["product"])
    op.drop_index("ix_cases_solved", "cases")
    op.drop_index("ix_returns_to_inspect", "returns")
