"""What the desk looks for is found without reading a whole table: open parcels, numbers, addresses, parts of names."""

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

LETTERS_OF = """
CREATE FUNCTION letters_of(said text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT array(SELECT DISTINCT substr(lower(said), n, 3) FROM generate_series(1, length(said) - 2) AS n) $$
"""
INDEXES = (
    "CREATE INDEX ix_parcels_open ON parcels (id) WHERE state IN ('to_pick', 'picking', 'picked', 'packed')"
    " OR (state = 'handed_over' AND tracking_status <> 'delivered')",
    "CREATE INDEX ix_orders_number_lower ON orders (lower(number) text_pattern_ops)",
    "CREATE INDEX ix_customers_email_begins ON customers (email text_pattern_ops)",
    "CREATE INDEX ix_customers_name_begins ON customers (lower(name) text_pattern_ops)",
    "CREATE INDEX ix_customers_name_letters ON customers USING gin (letters_of(name))",
)


def upgrade() -> None:
    op.execute(LETTERS_OF)
    for index in INDEXES:
        op.execute(index)


def downgrade() -> None:
    for index in INDEXES:
        op.execute(f"DROP INDEX {index.split()[2]}")
    op.execute("DROP FUNCTION letters_of(text)")
