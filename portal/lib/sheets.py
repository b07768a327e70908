"""Cells of a CSV file that table programs open."""

BEGINS_FORMULA = tuple("=+-@\t\r\n\0")


def plain_cell(value: object) -> str:
    """The value as text; what a table program could take for a formula begins with an apostrophe."""
    told = "" if value is None else str(value)
    return f"'{told}" if told.startswith(BEGINS_FORMULA) else told
