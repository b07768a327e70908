"""Pictures as telephones, cameras and tricksters make them."""

import io
import struct
import zlib
from typing import Any

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

GPS = 0x8825
ORIENTATION = 0x0112
MAKER = "PhoneMaker9000"


def scene(width: int = 400, height: int = 300, turn: int = 0) -> Image.Image:
    """Something to look at: brightness that goes up and down, red at the upper left; `turn` makes it another one."""
    small = Image.new("L", (8, 6))
    small.putdata([(x * (37 + turn) + y * (59 + 3 * turn)) % 256 for y in range(6) for x in range(8)])
    image = small.resize((width, height)).convert("RGB")
    image.paste((220, 0, 0), (0, 0, width // 8, height // 8))
    return image


def saved(image: Image.Image, kind: str = "JPEG", **how: Any) -> bytes:
    paper = io.BytesIO()
    image.save(paper, kind, **how)
    return paper.getvalue()


def photo(turn: int = 0, **how: Any) -> bytes:
    """A plain JPEG."""
    return saved(scene(turn=turn), **how)


def with_gps(orientation: int = 1) -> bytes:
    """As a telephone saves it: camera, place, comment, colour profile and XMP beside the pixels."""
    exif = Image.Exif()
    exif[0x010F], exif[ORIENTATION] = MAKER, orientation
    degrees = (IFDRational(52), IFDRational(31), IFDRational(12))
    exif.get_ifd(GPS).update({1: "N", 2: degrees, 3: "E", 4: degrees})
    more = {"comment": b"Lindenstrasse 7", "icc_profile": b"a profile", "xmp": b"<x:xmpmeta>Alice</x:xmpmeta>"}
    return saved(scene(), exif=exif, **more)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that unpacks to as many pixels as it says."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * ((width // 8 + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_with_text_bomb() -> bytes:
    """A PNG whose comment unpacks to more than the memory that it is given."""
    plain = saved(Image.new("L", (8, 8)), "PNG")
    text = b"k\0\0" + zlib.compress(b"\0" * 80_000_000, 9)
    return plain[:33] + chunk(b"zTXt", text) + plain[33:]


def jpeg_of_many_scans() -> bytes:
    """A progressive JPEG in which the last scan is repeated a thousand times."""
    raw = saved(scene(), progressive=True)
    last = raw.rindex(b"\xff\xda")
    return raw[:last] + raw[last:-2] * 1000 + raw[-2:]
