"""What couriers' scans mean, in the customer's words."""

from flask_babel import lazy_gettext as _l

from portal.adapters.couriers import Tracking

SCANS = {
    Tracking.unknown: _l("The courier has news of the parcel"),
    Tracking.label_created: _l("The courier expects the parcel"),
    Tracking.picked_up: _l("The courier has the parcel"),
    Tracking.in_transit: _l("On its way"),
    Tracking.delayed: _l("The courier needs longer than planned"),
    Tracking.out_for_delivery: _l("On the delivery van"),
    Tracking.attempt_failed: _l("The courier could not hand it over"),
    Tracking.ready_for_pickup: _l("Waiting at the pick-up point"),
    Tracking.delivered: _l("Delivered"),
    Tracking.returning: _l("On its way back to us"),
    Tracking.returned: _l("Back with us"),
    Tracking.exception: _l("Something holds the parcel up"),
    Tracking.cancelled: _l("The label was cancelled"),
    Tracking.expired: _l("The courier no longer reports on it"),
}
