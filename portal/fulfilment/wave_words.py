"""What waves are called."""

from typing import Any

from flask_babel import lazy_gettext as _l

KIND: dict[str, Any] = {
    "singles": _l("Single-line orders"),
    "several": _l("Orders with several lines"),
}
STATE: dict[str, tuple[Any, str]] = {
    "planned": (_l("Planned"), "neutral"),
    "released": (_l("To be walked"), "warn"),
    "picking": (_l("Being walked"), "info"),
    "done": (_l("At packing"), "good"),
    "dropped": (_l("Dropped"), "neutral"),
}
