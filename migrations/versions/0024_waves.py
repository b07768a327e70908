"""Waves: parcels that one person picks on one walk."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

KINDS = "kind IN ('singles', 'several')"
STATES = "state IN ('planned', 'released', 'picking', 'done', 'dropped')"


def upgrade() -> None:
    op.create_table(
        "waves",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(KINDS, name=op.f("ck_waves_kind")),
        sa.CheckConstraint(STATES, name=op.f("ck_waves_state")),
        sa.CheckConstraint("(state IN ('done', 'dropped')) = (ended_at IS NOT NULL)", name=op.f("ck_waves_ended")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_waves_owner_id_staff")),
        sa.ForeignKeyConstraint(["made_by_id"], ["staff.id"], name=op.f("fk_waves_made_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waves")),
    )
    op.create_index("ix_waves_open", "waves", ["id"], postgresql_where=sa.text("ended_at IS NULL"))
    op.add_column("parcels", sa.Column("wave_id", sa.BigInteger(), nullable=True))
    op.add_column("parcels", sa.Column("basket", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_parcels_wave_id_waves"), "parcels", "waves", ["wave_id"], ["id"])
    op.create_index(op.f("ix_parcels_wave_id"), "parcels", ["wave_id"])


def downgrade() -> None:
    op.drop_column("parcels", "basket")
    op.drop_column("parcels", "wave_id")
    op.drop_table("waves")
