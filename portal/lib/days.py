"""Dates as people of our languages write them, without the year while it is this one."""

from datetime import date

from babel.dates import format_date

LONG = {
    "en": "EEEE, d MMMM", "de": "EEEE, d. MMMM", "fr": "EEEE d MMMM",
    "nl": "EEEE d MMMM", "es": "EEEE, d 'de' MMMM", "hu": "MMMM d., EEEE",
}  # fmt: skip
WITH_YEAR = {
    "en": "d MMMM y", "de": "d. MMMM y", "fr": "d MMMM y",
    "nl": "d MMMM y", "es": "d 'de' MMMM 'de' y", "hu": "y. MMMM d.",
}  # fmt: skip
SHORT = {
    "en": "EEE d MMM", "de": "EEE d. MMM", "fr": "EEE d MMM", "nl": "EEE d MMM", "es": "EEE d MMM", "hu": "MMM d., EEE",
}  # fmt: skip


def spelled(day: date, today: date, locale: str) -> str:
    """Weekday and date in this year, else the date with its year."""
    if day.year != today.year:
        return with_year(day, locale)
    return format_date(day, LONG[_language(locale)], locale=locale)


def with_year(day: date, locale: str) -> str:
    """Date and year, for what is read at any time."""
    return format_date(day, WITH_YEAR[_language(locale)], locale=locale)


def short(day: date, locale: str) -> str:
    """For where there is little room: "Fri 20 Nov"."""
    return format_date(day, SHORT[_language(locale)], locale=locale)


def _language(locale: str) -> str:
    language = locale.split("_", maxsplit=1)[0]
    return language if language in LONG else "en"
