"""The journal's one way to forget: what is older than a year, up to an entry, by the owner's own function."""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

LET_GO = """
CREATE FUNCTION let_go_of_journal(up_to bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE gone bigint;
BEGIN
    PERFORM set_config('aftersale.lets_go', 'staff_events', true);
    DELETE FROM staff_events WHERE id <= up_to AND at < now() - interval '1 year';
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM set_config('aftersale.lets_go', '', true);
    RETURN gone;
END $$
"""
REFUSE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {unless}RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$
"""
UNLESS_LET_GO = """IF TG_OP = 'DELETE' AND current_setting('aftersale.lets_go', true) = TG_TABLE_NAME THEN
        IF OLD.at < now() - interval '1 year' THEN RETURN OLD; END IF;
    END IF;
    """


def upgrade() -> None:
    op.execute(REFUSE.format(unless=UNLESS_LET_GO))
    op.execute(LET_GO)


def downgrade() -> None:
    op.execute("DROP FUNCTION let_go_of_journal(bigint)")
    op.execute(REFUSE.format(unless=""))
