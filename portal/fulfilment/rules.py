"""What a parcel's scans mean together, which parcels need a person, and whom we hand parcels to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from flask_babel import lazy_gettext as _l

from portal.adapters.couriers import Tracking, own


class Scan(NamedTuple):
    """What matters of a courier's event."""

    at: datetime
    status: str
    offset_assumed: bool


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What all scans together say, in whatever order they came; `since` is when the status was reached."""

    status: Tracking = Tracking.unknown
    since: datetime | None = None
    delivered_at: datetime | None = None
    last_event_at: datetime | None = None

    @property
    def action_required(self) -> bool:
        """Whether the customer can do something about it."""
        return self.status in (Tracking.attempt_failed, Tracking.ready_for_pickup)


T = Tracking
MILESTONES = (
    T.unknown, T.label_created, T.cancelled, T.expired, T.picked_up, T.in_transit, T.delayed, T.out_for_delivery,
    T.exception, T.attempt_failed, T.ready_for_pickup, T.returning, T.delivered, T.returned,
)  # fmt: skip
RANK = {status: rank for rank, status in enumerate(MILESTONES)}
"""Of two scans with the same time, the one that counts as later."""
CORRECTIONS = {T.in_transit, T.out_for_delivery, T.attempt_failed, T.ready_for_pickup, T.returning, T.returned}
"""What, scanned after "delivered", shows that it was scanned by mistake; anything else is an afterthought."""


UNSURE = timedelta(hours=14)
"""So far a local time that was taken for UTC may be off."""


def conclude(scans: Iterable[Scan]) -> Conclusion:
    """The status computed from the set of scans: the same for any order of arrival."""
    status, since, last = T.unknown, None, None
    decisive: Scan | None = None
    for scan in sorted(scans, key=lambda scan: (scan.at, RANK[T(scan.status)], scan.offset_assumed)):
        last = scan.at
        if status is T.delivered and decisive and _may_be_earlier(scan, decisive):
            continue
        before, status = status, _follow(status, T(scan.status))
        if status is not before:
            since, decisive = scan.at, scan
    return Conclusion(status, since, since if status is T.delivered else None, last)


def _may_be_earlier(scan: Scan, than: Scan) -> bool:
    """Of a time that is certain and one whose zone was assumed, the later may in truth be the earlier."""
    return scan.offset_assumed != than.offset_assumed and scan.at - than.at < UNSURE


def _follow(before: Tracking, seen: Tracking) -> Tracking:
    """What goes back is delivered to us, and nothing else turns it round again."""
    if seen is T.unknown or before is T.returned:
        return before
    if before is T.returning:
        return T.returned if seen in (T.delivered, T.returned) else before
    if before is T.delivered:
        return seen if seen in CORRECTIONS else before
    return seen


FORGOTTEN_AFTER = timedelta(days=2)
"""A label without a first scan for so long was forgotten."""
SILENT_AFTER = timedelta(days=4)
"""A courier that says nothing for so long must be asked."""
TROUBLE = (T.exception, T.attempt_failed, T.delayed, T.expired, T.cancelled, T.returning)
NOT_SCANNED = (T.unknown, T.label_created)
FINISHED = (T.delivered, T.returned)

ADVICE: dict[str, Any] = {
    "forgotten": _l("The courier has not scanned it. Is it still here? Look for it at the ramp, then ask the courier."),
    "silent": _l("No scan for days. Ask the courier where it is."),
    T.exception: _l("Something is wrong with it. Ask the courier what they need."),
    T.attempt_failed: _l("Nobody was at home. The customer can choose another day or a pick-up point."),
    T.delayed: _l("It will be late. Tell the customer before they ask."),
    T.expired: _l("The courier has given up tracking it. Ask where it is, then send a new one or the money."),
    T.cancelled: _l("The label was cancelled. Make a new one."),
    T.returning: _l("It is coming back to us. Ask the customer for a better address."),
    T.returned: _l("It came back to us. Send it again or give the money back."),
    "lost": _l("It is lost. Send it again or give the money back, and claim it from the courier."),
    "sent_again": _l("It was sent again in another parcel."),
    "money_back": _l("It was given up, and the customer gets the money back."),
}
"""What to do next with a parcel that is stuck, by reason."""

NAMES: dict[str, Any] = {
    T.unknown: _l("No scan yet"),
    T.label_created: _l("Label made"),
    T.picked_up: _l("With the courier"),
    T.in_transit: _l("On its way"),
    T.delayed: _l("Delayed"),
    T.out_for_delivery: _l("Out for delivery"),
    T.attempt_failed: _l("Missed delivery"),
    T.ready_for_pickup: _l("Ready for pick-up"),
    T.delivered: _l("Delivered"),
    T.returning: _l("Coming back"),
    T.returned: _l("Came back"),
    T.exception: _l("Problem"),
    T.cancelled: _l("Label cancelled"),
    T.expired: _l("No longer tracked"),
}
REASONS: dict[str, Any] = {
    "forgotten": _l("No first scan"),
    "silent": _l("Silent"),
    "lost": _l("Lost"),
    "sent_again": _l("Sent again"),
    "money_back": _l("Given up"),
    **NAMES,
}


@dataclass(frozen=True, slots=True)
class Courier:
    """Somebody who takes parcels; `page` is their own tracking page, with the number in place of {number}."""

    code: str
    name: Any
    page: str = ""

    def page_of(self, number: str) -> str:
        return self.page.format(number=quote(number, safe=""))


COURIERS = {
    courier.code: courier
    for courier in (
        Courier(own.CODE, _l("Our own courier")),
        Courier("dhl", "DHL", "https://www.dhl.com/global-en/home/tracking.html?tracking-id={number}"),
        Courier("dpd", "DPD", "https://tracking.dpd.de/parcelstatus?query={number}"),
        Courier("fedex", "FedEx", "https://www.fedex.com/fedextrack/?trknbr={number}"),
        Courier("gls", "GLS", "https://gls-group.com/track/{number}"),
        Courier("laposte", "La Poste", "https://www.laposte.fr/outils/suivre-vos-envois?code={number}"),
        Courier("postnl", "PostNL", "https://postnl.nl/tracktrace/?B={number}"),
        Courier("royalmail", "Royal Mail", "https://www.royalmail.com/track-your-item#/tracking-results/{number}"),
        Courier("ups", "UPS", "https://www.ups.com/track?tracknum={number}"),
        Courier("usps", "USPS", "https://tools.usps.com/go/TrackConfirmAction?tLabels={number}"),
    )
}


def courier_name(code: str | None) -> str:
    """The courier as people call it."""
    return str(COURIERS[code].name) if code in COURIERS else code or ""
