"""The date we promise at acceptance, and days counted by a country's own working week."""

from datetime import date, datetime

from portal.lib.days import Calendar
from portal.orders.calendar import promised_for, terms


def promise(paid_at: datetime, country: str | None) -> date:
    """The day by which an order paid then arrives, by what the shop has set now. Kept for good with the order."""
    return promised_for(paid_at, country, terms())


def add_working_days(day: date, count: int, country: str) -> date:
    """`count` working days after `day`: Monday to Friday but for the country's holidays."""
    return Calendar(country).add(day, count)


def on_or_after(day: date, country: str) -> date:
    """The day itself when people work on it in this country, else the next on which they do."""
    return Calendar(country).next_working(day)
