"""A shop's own system may have several keys: they get names, and a table of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name=op.f("fk_api_keys_channel_id_channels")),
        sa.ForeignKeyConstraint(["made_by_id"], ["staff.id"], name=op.f("fk_api_keys_made_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
    )
    op.create_index("ix_api_keys_channel_id", "api_keys", ["channel_id"])
    op.create_index(
        "uq_api_keys_name",
        "api_keys",
        ["channel_id", "name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.execute(
        "INSERT INTO api_keys (channel_id, name, digest, made_at) "
        "SELECT id, 'first', key_digest, created_at FROM channels WHERE key_digest IS NOT NULL"
    )
    op.drop_column("channels", "key_digest")


def downgrade() -> None:
    """A channel holds one key: its newest that still opens something."""
    op.add_column("channels", sa.Column("key_digest", sa.LargeBinary(), nullable=True))
    op.create_unique_constraint(op.f("uq_channels_key_digest"), "channels", ["key_digest"])
    op.execute(
        "UPDATE channels SET key_digest = k.digest FROM (SELECT DISTINCT ON (channel_id) channel_id, digest FROM api_keys "
        "WHERE revoked_at IS NULL ORDER BY channel_id, id DESC) k WHERE k.channel_id = channels.id"
    )
    op.drop_table("api_keys")
