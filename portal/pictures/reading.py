"""An uploaded file becomes a picture of ours: bounded, upright, made anew from its pixels and from nothing else.

What a file said beside its pixels (place, camera, comments, other files behind it) is in no byte of what is kept.
"""

import hashlib
import io
from dataclasses import dataclass
from itertools import pairwise
from threading import BoundedSemaphore

from flask_babel import gettext as _
from PIL import Image, ImageOps

from portal.lib.errors import Refused

MOST_BYTES = 5_000_000
MOST_PIXELS = 40_000_000
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is higher, and warns in the log
MOST_SCANS = 100
"""A progressive JPEG comes in about ten scans; thousands over a large picture keep a processor busy for minutes."""
FORMATS = ("JPEG", "PNG", "WEBP")
LONGEST_SIDE, THUMBNAIL_SIDE = 2048, 320
QUALITY = 85
AT_A_TIME = BoundedSemaphore(2)
"""A decoded picture holds up to 160 MB: more of them wait, whatever the number of threads."""
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
SCAN = b"\xff\xda"
DHASH = (9, 8)
TELLING = range(8, 57)
"""How many of the 64 bits must be set for a picture to be compared by them: a wall, a sheet of paper have too few."""


class NotAPicture(Refused):
    """This file is not taken; the message says why in the reader's words."""


@dataclass(frozen=True, slots=True)
class Clean:
    """A picture as it is kept: JPEG. `looks` is nearly equal for pictures that look the same; None says nothing."""

    content: bytes
    thumbnail: bytes
    width: int
    height: int
    looks: int | None

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.content).digest()


def read(raw: bytes) -> Clean:
    """The file as a picture of ours. Raises NotAPicture for whatever is none, is not whole, or is too large."""
    _refuse_by_size(raw)
    with AT_A_TIME:
        image = _decoded(raw)
        kept = _only_pixels(image, LONGEST_SIDE)
        return Clean(_as_jpeg(kept), _as_jpeg(_only_pixels(kept, THUMBNAIL_SIDE)), *kept.size, _looks(kept))


def _refuse_by_size(raw: bytes) -> None:
    if not raw:
        raise NotAPicture(_("The file is empty."))
    if len(raw) > MOST_BYTES:
        raise NotAPicture(_("It has more than 5 MB. Please choose a smaller picture."))
    if raw[4:8] == b"ftyp" and raw[8:12] in HEIF:
        raise NotAPicture(_("HEIC pictures can't be read here. Please send it as JPEG."))
    if raw.count(SCAN) > MOST_SCANS:
        raise NotAPicture(_no_picture())


def _no_picture() -> str:
    return _("It is not a picture that we can read. Please send JPEG, PNG or WebP.")


def _decoded(raw: bytes) -> Image.Image:
    """Upright and in memory. The header is asked for its size before a single pixel is unpacked."""
    try:
        image = Image.open(io.BytesIO(raw), formats=FORMATS)
        too_large = image.width * image.height > MOST_PIXELS
    except Exception as error:
        raise NotAPicture(_no_picture()) from error
    if too_large:
        raise NotAPicture(_("It has more than 40 megapixels. Please choose a smaller picture."))
    try:
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        image.load()
        return ImageOps.exif_transpose(image)
    except Exception as error:  # whatever a decoder stumbles over, it is the file's fault
        raise NotAPicture(_("The picture is not whole. Please choose it once more.")) from error


def _only_pixels(image: Image.Image, longest: int) -> Image.Image:
    """A new picture with these pixels, on white where it was transparent, no larger than is needed."""
    smaller = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
    smaller.thumbnail((longest, longest))
    new = Image.new("RGB", smaller.size, "white")
    new.paste(smaller, mask=smaller if smaller.mode == "RGBA" else None)
    return new


def _as_jpeg(image: Image.Image) -> bytes:
    paper = io.BytesIO()
    image.save(paper, "JPEG", quality=QUALITY)
    return paper.getvalue()


def _looks(image: Image.Image) -> int | None:
    """Where it gets darker from left to right, in 64 bits (a difference hash): the same when saved anew or smaller."""
    grey, across = image.convert("L").resize(DHASH).tobytes(), DHASH[0]
    bits = [left > right for at, (left, right) in enumerate(pairwise(grey)) if (at + 1) % across]
    if sum(bits) not in TELLING:
        return None
    unsigned = sum(bit << at for at, bit in enumerate(bits))
    return unsigned - (1 << 64) if unsigned >> 63 else unsigned
