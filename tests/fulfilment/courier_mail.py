"""What each courier sends: its signature, and a message about Alice's parcel in its own shape."""

import base64
import hashlib
import hmac
import json
import unicodedata
from typing import Any

from portal.lib import clock
from tests.conftest import SECRETS

NUMBER = "00340434161094042557"
FILES = {
    "easypost": "easypost-tracker-updated.json",
    "aftership": "aftership-tracking-update.json",
    "shippo": "shippo-track-updated.json",
    "sendcloud": "sendcloud-parcel-status-changed.json",
    "seventeentrack": "17track-tracking-updated.json",
}
AT = "2026-11-20T10:00:00Z"
PLACE = {"city": "Köln", "state": None, "country": "DE"}


def message(source: str, at: str = AT, number: str = NUMBER) -> bytes:
    """The parcel is out for delivery."""
    bodies: dict[str, dict[str, Any]] = {
        "easypost": {
            "id": f"evt_{at}", "description": "tracker.updated",
            "result": {"tracking_code": number, "carrier": "DHL", "updated_at": at, "tracking_details": [
                {"status": "out_for_delivery", "datetime": at, "message": "Out", "tracking_location": PLACE}]},
        },
        "aftership": {
            "event": "tracking_update", "event_id": f"e-{at}", "ts": 1_764_000_000,
            "msg": {"tracking_number": number, "slug": "dhl", "updated_at": at, "checkpoints": [
                {"tag": "OutForDelivery", "subtag": "OutForDelivery_001", "message": "Out", "checkpoint_time": at}]},
        },
        "shippo": {
            "event": "track_updated",
            "data": {"tracking_number": number, "carrier": "dhl", "tracking_history": [], "tracking_status":
                {"object_id": at, "status": "TRANSIT", "substatus": {"code": "out_for_delivery"}, "status_date": at,
                 "status_details": "Out", "location": PLACE}},
        },
        "sendcloud": {
            "action": "parcel_status_changed", "timestamp": int(clock.now().timestamp() * 1000),
            "parcel": {"id": 7, "tracking_number": number, "carrier": {"code": "dhl"},
                       "status": {"id": 92, "message": "Driver en route"}},
        },
        "seventeentrack": {
            "event": "TRACKING_UPDATED",
            "data": {"number": number, "carrier": 7041, "track_info": {"tracking": {"providers_hash": 5, "providers": [
                {"provider": {"name": "DHL"}, "latest_sync_time": at, "events": [
                    {"stage": "OutForDelivery", "description": "Out", "time_utc": at, "location": "Köln"}]}]}}},
        },
    }  # fmt: skip
    return json.dumps(bodies[source]).encode()


MESSAGES = {source: message(source) for source in FILES}


def signed(source: str, raw: bytes, secret: str | None = None) -> dict[str, str]:
    """The headers with which this courier signs."""
    key = (SECRETS[f"{source.upper()}_WEBHOOK_SECRET"] if secret is None else secret).encode()
    at = str(int(clock.now().timestamp()))
    if source == "easypost":
        normal = unicodedata.normalize("NFKD", key.decode()).encode()
        return {"X-Hmac-Signature": "hmac-sha256-hex=" + hmac.new(normal, raw, hashlib.sha256).hexdigest()}
    if source == "shippo":
        digest = hmac.new(key, f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
        return {"Shippo-Auth-Signature": f"t={at},v1={digest}"}
    if source == "seventeentrack":
        return {"sign": hashlib.sha256(raw + b"/" + key).hexdigest()}
    digest = hmac.new(key, raw, hashlib.sha256)
    if source == "aftership":
        return {"aftership-hmac-sha256": base64.b64encode(digest.digest()).decode()}
    return {"Sendcloud-Signature": digest.hexdigest()}
