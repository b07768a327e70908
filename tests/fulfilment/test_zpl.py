"""What a label printer is sent is what is in the database: written, read back, compared."""

import re
import unicodedata
from typing import Any

import pytest
from pydantic import ValidationError

from portal.config import Settings
from portal.db import session
from portal.fulfilment import zpl
from portal.fulfilment.models import Parcel
from tests.fulfilment.hands import brought_to
from tests.fulfilment.test_labels import ALICE, GOODS, LONGEST, SIXTY, parcel
from tests.world import sign_in

FIELD = re.compile(r"\^FH_\^FD([^^~]*)\^FS")
NAMES = (
    "Łukasz Żółć", "Őrült Űrhajós", "Ελένη", "Жанна Щукина", "გიორგი", "渋谷 花子", "王小明", "김민수",
    "^XZ~JA", "^FS^XZ", "_5EXA", "a\\&b\\", "Tom & Ann_42", "{`|}", "50 % off;",
)  # fmt: skip


@pytest.fixture
def settings(app: Any) -> Any:
    return app.config["SETTINGS"].model_copy(update={"shop_address": "Speicherstraße 12\n20457 Hamburg"})


def data(code: str) -> str:
    """Field data as a printer reads it: each `_` and two hex digits is a byte of UTF-8."""
    parts = re.split(r"_([0-9A-F]{2})", code)
    return b"".join(bytes.fromhex(part) if place % 2 else part.encode() for place, part in enumerate(parts)).decode()


def fields(made: Parcel, settings: Settings) -> list[str]:
    return [data(found) for found in FIELD.findall(zpl.shipping_label(made, settings).decode("ascii"))]


@pytest.mark.parametrize("name", NAMES)
def test_names_reach_the_printer_as_they_are_stored(settings, name):
    assert name in fields(parcel({**ALICE, "name": name}), settings)


@pytest.mark.parametrize("name", [*NAMES, "\x10^XA\r\n~DG", "\u202e^JUS"])
def test_no_address_can_command_the_printer(settings, name):
    made = parcel(dict.fromkeys((*LONGEST, "street2"), name))
    harmless = parcel(dict.fromkeys((*LONGEST, "street2"), "Alice"))

    def commands(one: Parcel) -> set[str]:
        return set(re.findall(r"[\^~][A-Z][A-Z0-9@]", zpl.shipping_label(one, settings).decode("ascii")))

    assert commands(made) == commands(harmless)
    assert zpl.shipping_label(made, settings).count(b"^XZ") == zpl.shipping_label(made, settings).count(b"^XA") == 1


@pytest.mark.parametrize("text", ["", "plain 12,5/3", "^", "~", "_", "ß", "渋", "e\u0301", "🍵"])
def test_escaping_and_reading_back_gives_the_same_text(text):
    assert data(zpl.escape(text)) == unicodedata.normalize("NFC", text)
    assert not set("^~") & set(zpl.escape(text))


def test_what_does_not_print_is_left_out():
    assert zpl.escape("two\x00\x07\r\n\u200b lines") == "two lines"


def test_a_street_of_sixty_characters_is_whole(settings):
    printed = " ".join(fields(parcel({**ALICE, "street": SIXTY, "street2": SIXTY[::-1]}), settings))
    assert SIXTY in printed
    assert SIXTY[::-1] in printed


def test_both_codes_carry_the_number_of_the_parcel(settings):
    made = parcel()
    label = zpl.shipping_label(made, settings).decode()
    [bars], [qr] = re.findall(r"\^BC[^^]*" + FIELD.pattern, label), re.findall(r"\^BQ[^^]*" + FIELD.pattern, label)
    assert (data(bars), data(qr)) == (made.tracking_number, f"MA,{made.tracking_number}")


@pytest.mark.parametrize("dots", [6, 8, 12, 24])
def test_everything_stays_on_the_label_at_every_resolution(settings, dots):
    sharp = settings.model_copy(update={"label_printer_dots": dots})
    label = zpl.shipping_label(parcel({**LONGEST, "country": "GB"}, GOODS), sharp).decode("ascii")
    places = [(int(x), int(y)) for x, y in re.findall(r"\^F[OT](\d+),(\d+)", label)]
    assert len(places) == label.count("^FO") + label.count("^FT")
    assert all(x < 100 * dots and y <= 150 * dots for x, y in places)
    [thin], modules = re.findall(r"\^BY(\d+)", label), 11 * (14 + 2) + 13
    assert (8 * dots + int(thin) * modules) <= 100 * dots
    assert int(thin) / dots >= 0.25
    [side] = re.findall(r"\^BQN,2,(\d+)", label)
    assert 1 <= int(side) <= 10


def test_a_font_in_the_printer_is_named(settings):
    asian = settings.model_copy(update={"label_printer_font": "E:SHIBUYA.TTF"})
    label = zpl.shipping_label(parcel({**ALICE, "name": "渋谷"}), asian).decode()
    assert "^A@N," in label
    assert ",E:SHIBUYA.TTF^FH_^FD_E6_B8_8B_E8_B0_B7^FS" in label
    assert "^A0N" not in label


@pytest.mark.parametrize("font", ["", "^XZ", "E:A B.TTF", "E:FONT.TTF^XZ", "1"])
def test_a_font_that_is_none_is_refused_at_the_start(font):
    with pytest.raises(ValidationError) as refused:
        Settings(label_printer_font=font)
    assert ("label_printer_font",) in {error["loc"] for error in refused.value.errors()}


def test_the_label_for_the_printer_is_there_once_the_label_is_made(client, world):
    made = brought_to("packed", world.alice, world.pat, world.now)
    desk, address = sign_in(client, world.pat), f"/desk/parcels/{made.id}/label.zpl"
    assert desk.get(address).status_code == 404
    desk.post(f"/desk/parcels/{made.id}/label")
    answer = desk.get(address)
    session.expire_all()
    assert (answer.mimetype, answer.data[:3]) == ("application/zpl", b"^XA")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="label-{made.tracking_number}.zpl"'
    assert {made.tracking_number, world.alice.number} <= {data(one) for one in FIELD.findall(answer.text)}
    assert address in desk.get(f"/desk/parcels/{made.id}").text
