"""Pieces of one line of a return may be found in several states."""

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("uq_inspections_return_line_id"), "inspections", type_="unique")
    op.create_index("ix_inspections_return_line_id", "inspections", ["return_line_id"])


def downgrade() -> None:
    op.drop_index("ix_inspections_return_line_id", "inspections")
    op.execute(
        "DELETE FROM inspections AS other USING inspections AS first "
        "WHERE other.return_line_id = first.return_line_id AND other.id > first.id"
    )
    op.create_unique_constraint(op.f("uq_inspections_return_line_id"), "inspections", ["return_line_id"])
