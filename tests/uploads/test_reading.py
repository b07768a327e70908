"""What an uploaded file becomes: a picture made anew, or a sentence that says why not."""

import io
import zipfile
from collections.abc import Callable

import pytest
from flask import Flask
from PIL import Image, ImageFile

from portal.pictures.models import ALIKE
from portal.pictures.reading import LONGEST_SIDE, MOST_BYTES, NotAPicture, read
from tests.uploads import files

NONE = "It is not a picture that we can read. Please send JPEG, PNG or WebP."


def kept(raw: bytes) -> Image.Image:
    return Image.open(io.BytesIO(read(raw).content))


def why_not(raw: bytes) -> str:
    with pytest.raises(NotAPicture) as refused:
        read(raw)
    return refused.value.message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_of_telephones_and_screens_are_taken_and_become_jpeg(app: Flask, kind: str) -> None:
    clean = read(files.saved(files.scene(), kind))
    image = Image.open(io.BytesIO(clean.content))
    assert (image.format, image.size, (clean.width, clean.height)) == ("JPEG", (400, 300), (400, 300))
    assert max(Image.open(io.BytesIO(clean.thumbnail)).size) == 320


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "LA", "RGBA", "I;16"])
def test_so_are_those_in_other_colours(app: Flask, mode: str) -> None:
    image = files.scene().convert("L").convert(mode) if mode == "I;16" else files.scene().convert(mode)
    assert kept(files.saved(image, "JPEG" if mode == "CMYK" else "PNG")).mode == "RGB"


def test_what_was_transparent_is_white(app: Flask) -> None:
    assert kept(files.saved(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), "PNG")).getpixel((10, 10)) == (255, 255, 255)


def test_of_what_moves_the_first_picture_is_kept(app: Flask) -> None:
    red, blue = Image.new("RGB", (40, 40), "red"), Image.new("RGB", (40, 40), "blue")
    for kind in ("PNG", "WEBP"):
        moving = files.saved(red, kind, save_all=True, append_images=[blue])
        pixel = kept(moving).getpixel((20, 20))
        assert isinstance(pixel, tuple)
        assert pixel[0] > 200 > pixel[2]


def test_large_ones_become_smaller(app: Flask) -> None:
    assert kept(files.saved(files.scene(5000, 2500))).size == (LONGEST_SIDE, LONGEST_SIDE // 2)


@pytest.mark.parametrize(
    ("orientation", "size", "corner"),
    [(1, (400, 300), (5, 5)), (3, (400, 300), (394, 294)), (6, (300, 400), (294, 5)), (8, (300, 400), (5, 394))],
)
def test_they_stand_upright(app: Flask, orientation: int, size: tuple[int, int], corner: tuple[int, int]) -> None:
    image = kept(files.with_gps(orientation))
    assert image.size == size
    pixel = image.getpixel(corner)
    assert isinstance(pixel, tuple)
    assert pixel[0] > 180 > 60 > pixel[1]


def test_14_2_8_where_and_with_what_it_was_taken_is_gone(app: Flask) -> None:
    raw = files.with_gps()
    assert Image.open(io.BytesIO(raw)).getexif().get_ifd(files.GPS)
    clean = read(raw)
    for paper in (clean.content, clean.thumbnail):
        image = Image.open(io.BytesIO(paper))
        assert (dict(image.getexif()), set(image.info)) == ({}, {"jfif", "jfif_version", "jfif_unit", "jfif_density"})
        assert not any(
            word in paper for word in (b"Exif", files.MAKER.encode(), b"Linden", b"profile", b"xmp", b"Alice")
        )


def a_zip() -> bytes:
    paper = io.BytesIO()
    with zipfile.ZipFile(paper, "w") as file:
        file.writestr("evil.html", "<script>alert(1)</script>")
    return paper.getvalue()


@pytest.mark.parametrize(
    "raw",
    [
        lambda: files.photo() + a_zip(),
        lambda: files.photo(comment=b"<script>alert(1)</script>"),
        lambda: files.photo() + b"<?php system($_GET['x']); ?><script>alert(1)</script>",
        lambda: files.saved(files.scene(), "PNG") + a_zip(),
    ],
)
def test_5_2_2_what_hides_in_a_picture_does_not_come_along(app: Flask, raw: Callable[[], bytes]) -> None:
    clean = read(raw())
    assert not any(word in clean.content for word in (b"script", b"<?php", b"PK\x03\x04", b"evil"))
    assert not zipfile.is_zipfile(io.BytesIO(clean.content))


@pytest.mark.parametrize(
    "raw",
    [
        b"just words",
        b"%PDF-1.7 and more",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"GIF89a\x01\0\x01\0\0\0\0;",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        a_zip(),
        files.saved(files.scene(), "BMP"),
        files.saved(files.scene(), "TIFF"),
    ],
)
def test_5_2_2_a_photo_that_is_none_is_refused_in_words(app: Flask, raw: bytes) -> None:
    assert why_not(raw) == NONE


def test_heic_is_refused_in_words(app: Flask) -> None:
    assert "JPEG" in why_not(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100)


def test_an_empty_file_says_so(app: Flask) -> None:
    assert why_not(b"") == "The file is empty."


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_one_that_was_cut_off_is_refused(app: Flask, kind: str) -> None:
    raw = files.saved(files.scene(), kind)
    assert why_not(raw[: len(raw) // 2]) in ("The picture is not whole. Please choose it once more.", NONE)


def test_5_2_1_one_with_too_many_bytes_is_refused(app: Flask) -> None:
    assert "5 MB" in why_not(files.photo() + b"\0" * MOST_BYTES)


def test_5_2_6_a_bomb_of_pixels_is_refused_before_it_is_unpacked(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 megapixels in some kilobytes; and one pixel more than 40 megapixels."""
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was unpacked"))
    for width, height in ((10_000, 10_000), (8000, 5001)):
        raw = files.png_that_claims(width, height)
        assert len(raw) < 200_000
        assert why_not(raw) == "It has more than 40 megapixels. Please choose a smaller picture."


def test_5_2_6_forty_megapixels_are_taken(app: Flask) -> None:
    assert kept(files.png_that_claims(8000, 5000)).size == (2048, 1280)


def test_5_2_6_a_bomb_of_scans_or_of_words_is_refused(app: Flask) -> None:
    assert why_not(files.jpeg_of_many_scans())
    assert len(files.png_with_text_bomb()) < 200_000
    assert why_not(files.png_with_text_bomb())


# --- the same picture again ---


def differing(first: bytes, second: bytes) -> int:
    one, other = read(first).looks, read(second).looks
    assert one is not None
    assert other is not None
    return ((one ^ other) & (2**64 - 1)).bit_count()


def test_a_picture_is_known_again_when_it_was_saved_anew_smaller_or_as_another_kind(app: Flask) -> None:
    assert differing(files.photo(), files.photo(quality=40)) <= ALIKE
    assert differing(files.photo(), files.saved(files.scene(200, 150), "WEBP")) <= ALIKE
    assert differing(files.photo(), files.saved(files.scene(), "PNG")) <= ALIKE


def test_another_one_is_not_taken_for_it(app: Flask) -> None:
    assert differing(files.photo(), files.photo(turn=5)) > ALIKE


def test_a_wall_is_compared_with_no_wall(app: Flask) -> None:
    assert read(files.saved(Image.new("RGB", (400, 300), "white"))).looks is None
