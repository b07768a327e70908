"""The house."""

from alembic import op
from procrastinate.schema import SchemaManager

from portal.db import Base
from portal.feedback import models as feedback  # noqa: F401
from portal.fulfilment import models as fulfilment  # noqa: F401
from portal.returns import models as returns  # noqa: F401

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER timeline_append_only BEFORE UPDATE OR DELETE ON timeline
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refund_attempts_append_only BEFORE UPDATE OR DELETE ON refund_attempts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    Base.metadata.create_all(op.get_bind())
    driver = op.get_bind().connection.driver_connection
    driver.execute(SchemaManager.get_schema())
    driver.execute(APPEND_ONLY)


def downgrade() -> None:
    raise NotImplementedError("the first schema has nothing before it")
