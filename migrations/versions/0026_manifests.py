"""Couriers' own scan forms for the parcels of a list."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "manifests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("closing_id", sa.BigInteger(), nullable=False),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.String(), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paper", sa.LargeBinary(), nullable=True),
        sa.Column("paper_kind", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('wanted', 'sent', 'made', 'failed')", name=op.f("ck_manifests_state")),
        sa.CheckConstraint(
            "state <> 'made' OR (paper IS NOT NULL AND remote_id <> '')", name=op.f("ck_manifests_made")
        ),
        sa.ForeignKeyConstraint(["closing_id"], ["closings.id"], name=op.f("fk_manifests_closing_id_closings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifests")),
        sa.UniqueConstraint("closing_id", "carrier", name=op.f("uq_manifests_closing_id_carrier")),
    )
    op.create_index(
        "ix_manifests_due", "manifests", ["next_look_at"], postgresql_where=sa.text("next_look_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("manifests")
