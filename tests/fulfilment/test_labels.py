"""What is printed is what is in the database: rendered, decoded, compared."""

from typing import Any

import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from portal.adapters.couriers import own
from portal.fulfilment import labels, typeset
from portal.fulfilment.models import Parcel, ParcelLine
from portal.orders.models import Order, OrderLine

ALICE = {"name": "Alice Ångström", "street": "Lindenstraße 7", "postcode": "10115", "city": "Berlin", "country": "DE"}
SIXTY = "Ulica Generała Władysława Sikorskiego-Brzęczyszczykiewicza 128"


@pytest.fixture
def settings(app: Any) -> Any:
    return app.config["SETTINGS"].model_copy(update={"shop_address": "Speicherstraße 12\n20457 Hamburg"})


def parcel(
    to: dict[str, str] | None = None, lines: tuple[tuple[int, str, str, str], ...] = (), locale: str = "en"
) -> Parcel:
    """A parcel on paper only; nothing of it is stored."""
    order = Order(number="1001", ref="k7x2", ship_to=ALICE if to is None else to, locale=locale)
    made = Parcel(ref="k3x7mq2pza", tracking_number=own.new_number(), courier="own", weight_grams=1240, order=order)
    for quantity, title, variant, sku in lines:
        made.lines.append(
            ParcelLine(quantity=quantity, picked=0, line=OrderLine(title=title, variant=variant, sku=sku))
        )
    return made


def pages(pdf: bytes) -> list[Any]:
    return list(pypdfium2.PdfDocument(pdf))


def words(pdf: bytes) -> str:
    return "\n".join(page.get_textpage().get_text_bounded() for page in pages(pdf)).replace("\r\n", "\n")


def picture(page: Any, scale: float = 4) -> Image.Image:
    image: Image.Image = page.render(scale=scale).to_pil().convert("L")
    return image


def codes(pdf: bytes) -> list[tuple[str, str]]:
    return [(found.format.name, found.text) for page in pages(pdf) for found in zxingcpp.read_barcodes(picture(page))]


def test_the_label_carries_its_number_as_bars_and_as_a_qr_code(settings):
    made = parcel()
    assert sorted(codes(labels.shipping_label(made, settings))) == [
        ("Code128", made.tracking_number),
        ("QRCode", made.tracking_number),
    ]


def test_the_label_is_ten_by_fifteen_centimetres_on_one_page(settings):
    [page] = pages(labels.shipping_label(parcel(), settings))
    assert [round(side / 72 * 25.4) for side in page.get_size()] == [100, 150]


@pytest.mark.parametrize("scale", [203 / 72, 300 / 72])
def test_a_label_printer_s_dots_are_enough_to_scan_it(settings, scale):
    made = parcel()
    [page] = pages(labels.shipping_label(made, settings))
    found = zxingcpp.read_barcodes(page.render(scale=scale).to_pil().convert("1"))
    assert {one.text for one in found} == {made.tracking_number}
    assert len(found) == 2


@pytest.mark.parametrize(
    "name",
    [
        "Łukasz Żółć-Brzęczyszczykiewicz", "Őrült Ügyfél Űrhajós", "Ďuro Šťastný", "Çağrı Güneş", "Ελένη Παπαδοπούλου",
        "Жанна Щукина", "Nguyễn Thị Hồng", "გიორგი", "渋谷 花子", "山田 タロウ", "王小明", "김민수", "^XZ~JA",
    ],
)  # fmt: skip
def test_names_in_any_script_are_printed_as_they_are(settings, name):
    assert name in " ".join(words(labels.shipping_label(parcel({**ALICE, "name": name}), settings)).split())
    assert name in words(labels.packing_slip(parcel({**ALICE, "name": name}), settings))


@pytest.mark.parametrize("text", ["Ł", "Ű", "ё", "Ω", "ệ", "გ", "ß", "€"])
def test_each_of_these_letters_has_a_shape_of_its_own(text):
    [(font, printed)] = typeset.runs(text)
    glyphs = typeset.pdfmetrics.getFont(font).face.charToGlyph
    assert (printed, glyphs[ord(text)] != 0) == (text, True)


def test_what_nobody_can_print_is_no_box(settings):
    printed = words(labels.shipping_label(parcel({**ALICE, "name": "Tea 🍵 for \u0b95 \u202etwo\x07"}), settings))
    assert "Tea for · two" in " ".join(printed.split())


def test_a_street_of_sixty_characters_is_whole(settings):
    assert len(SIXTY) >= 60
    printed = words(labels.shipping_label(parcel({**ALICE, "street": SIXTY, "street2": SIXTY[::-1]}), settings))
    assert SIXTY in " ".join(printed.split())
    assert SIXTY[::-1] in " ".join(printed.split())


LONGEST = dict.fromkeys(
    ("name", "company", "street", "street2", "postcode", "city", "region"), "Wörterbuchwürdiger Ländername " * 6
)


def test_the_longest_address_stays_in_its_field_and_every_code_still_scans(settings):
    made = parcel({**LONGEST, "country": "GB"})
    pdf = labels.shipping_label(made, settings)
    assert {text for _, text in codes(pdf)} == {made.tracking_number}
    image = picture(pages(pdf)[0], scale=4)
    right_margin = image.crop((int(95.5 / 100 * image.width), 0, image.width, image.height))
    assert right_margin.getextrema() == (255, 255)
    above_the_rule = image.crop(
        (0, int((150 - 72.5) / 150 * image.height), image.width, int((150 - 70.8) / 150 * image.height))
    )
    assert above_the_rule.getextrema() == (255, 255)


@pytest.mark.parametrize("to", [{}, {"name": ""}, {"country": "XX"}, {"city": None, "postcode": None, "name": None}])
def test_an_address_with_nothing_in_it_prints(settings, to):
    made = parcel(to)
    assert {text for _, text in codes(labels.shipping_label(made, settings))} == {made.tracking_number}
    assert "1001" in words(labels.packing_slip(made, settings))


def test_the_country_is_named_only_when_the_parcel_leaves_it(settings):
    assert "GERMANY" not in words(labels.shipping_label(parcel(), settings))
    assert "POLAND" in words(labels.shipping_label(parcel({**ALICE, "country": "PL"}), settings))


GOODS = ((2, "Stoneware mug", "Moss", "MUG-01"), (1, "Linen shirt", "M", "SHIRT-M"))


def test_the_slip_says_what_is_in_the_parcel_with_a_code_for_each_article(settings):
    pdf = labels.packing_slip(parcel(lines=GOODS), settings)
    assert {"MUG-01", "SHIRT-M", f"{settings.base_url}/find"} == {text for _, text in codes(pdf)}
    assert {"2 ×", "Stoneware mug", "Moss", "1 ×", "Linen shirt"} <= set(words(pdf).replace("× ", "×\n").split("\n"))


@pytest.mark.parametrize("sku", ["", "ÄÖÜ-1", "渋谷-1", "X" * 60, "a\tb"])
def test_an_article_number_that_no_code_can_hold_is_printed_without_one(settings, sku):
    pdf = labels.packing_slip(parcel(lines=((1, "Mug", "", sku),)), settings)
    assert [kind for kind, _ in codes(pdf)] == ["QRCode"]


@pytest.mark.parametrize("count", [0, 1, 8, 9, 10, 25])
def test_a_long_order_has_every_article_on_some_page(settings, count):
    lines = tuple((1, f"Article no. {n:03}", "", f"SKU-{n:03}") for n in range(count))
    pdf = labels.packing_slip(parcel(lines=lines), settings)
    assert {f"SKU-{n:03}" for n in range(count)} == {text for kind, text in codes(pdf) if kind == "Code128"}
    assert len(pages(pdf)) == max(1, -(-count // 9))


def test_the_same_parcel_prints_the_same_bytes(settings):
    made = parcel(lines=GOODS)
    assert labels.packing_slip(made, settings) == labels.packing_slip(made, settings)


@pytest.mark.parametrize(
    ("text", "limit"),
    [("a b c d", 30), ("Donaudampfschifffahrtsgesellschaft", 60), ("", 10), ("   ", 10), ("x" * 500, 40)],
)
def test_no_line_is_wider_than_its_limit_and_nothing_is_lost(text, limit):
    lines = typeset.wrap(text, 12, limit)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(typeset.width(line, 12) <= limit for line in lines)
