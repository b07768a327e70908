"""How long we have: working hours by the shop's own calendar, its weekdays, holidays and closed days."""

from datetime import datetime, timedelta

from flask import current_app

from portal.orders.calendar import terms


def deadline(start: datetime, hours: int | None = None) -> datetime:
    """When so many working hours (else the shop's usual ones) have passed since then."""
    usual: int = current_app.config["SETTINGS"].case_deadline_hours
    return terms().calendar.after(start, timedelta(hours=hours or usual))
