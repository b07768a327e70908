"""Notes between offices go with the customer they are about."""

from portal.db.personal import Kept
from portal.offices.models import OfficeWork

KEPT = (
    Kept(
        OfficeWork,
        lambda ids: OfficeWork.order_id.in_(ids),
        taken={"note": ""},
        stays=("kind", "giver", "office", "state", "reason"),
    ),
)
