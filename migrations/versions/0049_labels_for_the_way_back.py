"""Labels for parcels that come back."""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

LIVING = "state IN ('quoting', 'quoted', 'requested', 'sent', 'unknown', 'bought', 'voiding')"


def upgrade() -> None:
    op.alter_column("label_purchases", "parcel_id", nullable=True)
    op.alter_column("label_purchases", "asked_by_id", nullable=True)
    op.add_column("label_purchases", sa.Column("back_parcel_id", sa.BigInteger(), nullable=True))
    op.add_column("label_purchases", sa.Column("code", sa.LargeBinary(), nullable=True))
    op.add_column("label_purchases", sa.Column("code_kind", sa.String(), nullable=False, server_default=""))
    op.alter_column("label_purchases", "code_kind", server_default=None)
    op.create_foreign_key(
        op.f("fk_label_purchases_back_parcel_id_back_parcels"),
        "label_purchases",
        "back_parcels",
        ["back_parcel_id"],
        ["id"],
    )
    op.create_index("ix_label_purchases_back_parcel_id", "label_purchases", ["back_parcel_id"])
    op.create_index(
        "uq_label_purchases_one_way_back",
        "label_purchases",
        ["back_parcel_id"],
        unique=True,
        postgresql_where=sa.text(LIVING),
    )
    op.create_check_constraint(
        op.f("ck_label_purchases_about"), "label_purchases", "(parcel_id IS NULL) <> (back_parcel_id IS NULL)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM label_purchases WHERE parcel_id IS NULL")
    op.drop_constraint(op.f("ck_label_purchases_about"), "label_purchases", type_="check")
    op.drop_column("label_purchases", "code_kind")
    op.drop_column("label_purchases", "code")
    op.drop_column("label_purchases", "back_parcel_id")
    op.execute("UPDATE label_purchases SET asked_by_id = (SELECT min(id) FROM staff) WHERE asked_by_id IS NULL")
    op.alter_column("label_purchases", "asked_by_id", nullable=False)
    op.alter_column("label_purchases", "parcel_id", nullable=False)
