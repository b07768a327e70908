"""What pictures know of customers: all of it goes with them."""

from portal.db.personal import Kept
from portal.pictures.models import Picture

KEPT = (Kept(Picture, lambda ids: Picture.order_id.in_(ids), shown=("about", "uploaded_at", "width"), gone=True),)
