"""The way along the shelves: what to take where, for which basket. Plain values in, nothing stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from portal.fulfilment.models import Parcel, ParcelLine
from portal.lib.errors import Refused

Claims = Mapping[int, Sequence[tuple[str | None, int]]]
"""By order line, where its pieces are kept back."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One article at one place: the lines of parcels that want it, in the order in which they are served."""

    places: str
    lines: tuple[ParcelLine, ...]

    @property
    def first(self) -> ParcelLine:
        return self.lines[0]

    @property
    def left(self) -> int:
        """Pieces still to be taken here."""
        return sum(packed.left for packed in self.lines)

    @property
    def picked(self) -> int:
        return sum(packed.picked or 0 for packed in self.lines)

    @property
    def short(self) -> int:
        return sum(packed.short or 0 for packed in self.lines)

    @property
    def wanted(self) -> int:
        return sum(packed.quantity for packed in self.lines)

    @property
    def next_line(self) -> ParcelLine | None:
        """Whose piece is taken next."""
        return next((packed for packed in self.lines if packed.left), None)

    @property
    def last_line(self) -> ParcelLine | None:
        """Whose piece was taken last: undo begins there."""
        return next((packed for packed in reversed(self.lines) if packed.picked), None)

    @property
    def baskets(self) -> list[tuple[int, int]]:
        """By basket, how many pieces it gets in all; nothing where goods lie together."""
        found: dict[int, int] = {}
        for packed in self.lines:
            if packed.parcel.basket:
                found[packed.parcel.basket] = found.get(packed.parcel.basket, 0) + packed.quantity
        return sorted(found.items())


def stops(parcels: Iterable[Parcel], claims: Claims) -> list[Stop]:
    """Every article once, in the order of the places; what has no place comes last."""
    found: dict[tuple[str, str], list[ParcelLine]] = {}
    for parcel in parcels:
        for packed in parcel.lines:
            places = places_of(packed, claims)
            found.setdefault((places, packed.line.sku.casefold() or f"#{packed.id}"), []).append(packed)
    ordered = sorted(found, key=lambda key: (not key[0], key))
    return [Stop(key[0], tuple(found[key])) for key in ordered]


def places_of(packed: ParcelLine, claims: Claims) -> str:
    """Where this line's pieces lie, as far as stock is counted."""
    names = dict.fromkeys(place for place, _pieces in claims.get(packed.order_line_id, ()) if place)
    return ", ".join(names)


def scanned(way: Sequence[Stop], typed: str) -> ParcelLine:
    """The line that a scanned piece is for. Raises Refused for a stranger and for one too many."""
    code = typed.strip().casefold()
    found = [stop for stop in way if code and stop.first.line.sku.casefold() == code]
    if not found:
        raise Refused(_("%(code)s is not in this wave. Put it back.", code=typed.strip()[:40] or "–"))
    line = next((stop.next_line for stop in found if stop.left), None)
    if line is None:
        enough = sum(stop.picked for stop in found)
        raise Refused(_("Too many: %(title)s is complete with %(n)s.", title=found[0].first.title, n=enough))
    return line
