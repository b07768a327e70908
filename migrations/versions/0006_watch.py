"""What people do about parcels that need them, and how long couriers are usually silent."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lanes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("courier", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("silent_after", sa.Interval(), nullable=False),
        sa.Column("gaps", sa.BigInteger(), nullable=False),
        sa.Column("learnt_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lanes")),
        sa.UniqueConstraint("courier", "country", name=op.f("uq_lanes_courier_country")),
    )
    op.add_column("parcels", sa.Column("quiet_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("parcels", sa.Column("fate", sa.String(), nullable=True))
    op.add_column("parcels", sa.Column("replaces_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_parcels_replaces_id"), "parcels", "parcels", ["replaces_id"], ["id"])
    op.create_check_constraint(op.f("ck_parcels_fate"), "parcels", "fate IN ('lost', 'sent_again', 'money_back')")
