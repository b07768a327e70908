"""How far each sales channel was read by asking it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "channel_readings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("asked_since", moment, nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.Column("read_at", moment, nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("failing_since", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_readings")),
        sa.UniqueConstraint("code", name=op.f("uq_channel_readings_code")),
    )


def downgrade() -> None:
    op.drop_table("channel_readings")
