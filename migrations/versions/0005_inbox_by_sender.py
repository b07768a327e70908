"""Find the last message of a sender without reading all of them.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_inbox_messages_source_received_at", "inbox_messages", ["source", "received_at"])
    op.create_index("ix_inbox_messages_failed", "inbox_messages", ["source"], postgresql_where="state = 'failed'")


def downgrade() -> None:
    op.drop_index("ix_inbox_messages_failed", table_name="inbox_messages")
    op.drop_index("ix_inbox_messages_source_received_at", table_name="inbox_messages")
