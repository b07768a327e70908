"""What came by mail in a case: whose it is, what it quotes, which files came along."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, default in (("via", "page"), ("mail_id", ""), ("from_address", ""), ("quoted", "")):
        op.add_column("case_messages", sa.Column(name, sa.String(), nullable=False, server_default=default))
    op.add_column("case_messages", sa.Column("counts", sa.Boolean(), nullable=False, server_default="true"))
    op.create_check_constraint(op.f("ck_case_messages_via"), "case_messages", "via IN ('page', 'mail')")
    op.create_table(
        "case_attachments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("why_not", sa.String(), nullable=False),
        sa.Column("picture_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["picture_id"],
            ["pictures.id"],
            name=op.f("fk_case_attachments_picture_id_pictures"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["case_messages.id"], name=op.f("fk_case_attachments_message_id_case_messages")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_attachments")),
    )
    for column in ("message_id", "picture_id"):
        op.create_index(op.f(f"ix_case_attachments_{column}"), "case_attachments", [column])


def downgrade() -> None:
    op.drop_table("case_attachments")
    for column in ("counts", "quoted", "from_address", "mail_id", "via"):
        op.drop_column("case_messages", column)
