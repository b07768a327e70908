"""Pictures: drawn to scale, named for those who don't see them, and unable to say more than they were given."""

import re
from xml.etree import ElementTree

import pytest

from portal.lib.charts import NET, PER_CENT, Point, course, intervals
from tests.house.test_size_and_templates import INLINE

MUG = Point("Mug", 80, 70, 90)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(points, **more):
    return intervals(points, id="p", title="Products", told="Mug: 80", **more)


def ends(picture: str) -> tuple[str, str]:
    """From where to where the first line goes."""
    line = next(one for one in ElementTree.fromstring(picture).iter(f"{SVG}line") if "chart-reach" in one.get("class"))
    return line.get("x1"), line.get("x2")


def test_a_line_reaches_from_low_to_high_and_the_dot_is_at_the_value():
    root = ElementTree.fromstring(drawn([MUG]))
    assert ends(drawn([MUG])) == (f"{PER_CENT.at(70)}%", f"{PER_CENT.at(90)}%")
    assert root.find(f"{SVG}circle").get("cx") == f"{PER_CENT.at(80)}%"


def test_a_net_score_has_its_middle_at_naught():
    assert NET.at(0) == PER_CENT.at(50) == 50
    assert drawn([MUG], scale=NET).count(">-100<") == 1


@pytest.mark.parametrize("value", [-500, 500])
def test_what_lies_outside_stays_in_the_picture(value):
    assert 0 <= PER_CENT.at(value) <= 100


def test_what_is_few_is_grey_and_what_is_bad_is_red():
    picture = drawn([Point("Mug", 80, 70, 90, few=True, tone="bad"), Point("Jug", 80, 70, 90, tone="bad")])
    assert picture.count('class="chart-dot few"') == picture.count('class="chart-dot bad"') == 1


def test_a_name_that_is_a_script_stays_a_name():
    picture = course([Point("<script>alert(1)</script>", 1, 0, 2)], id="p", title="<b>", told='"&"')
    root = ElementTree.fromstring(picture)
    assert not list(root.iter("script")) + list(root.iter(f"{SVG}script"))
    assert root.find(f"{SVG}title").text == "<b>"


def test_it_is_named_and_described_for_those_who_do_not_see_it():
    root = ElementTree.fromstring(drawn([MUG]))
    said = root.get("aria-labelledby").split()
    assert [root.find(f"{SVG}{part}").get("id") for part in ("title", "desc")] == said
    assert root.get("role") == "img"


def test_it_holds_no_styles_and_no_scripts():
    for picture in (drawn([MUG] * 3, among=(60, 70)), course([MUG] * 20, id="c", title="t", told="d")):
        assert not re.search(INLINE, picture)


@pytest.mark.parametrize("many", [1, 2, 5, 13, 53])
def test_days_under_a_course_leave_room_for_each_other(many):
    picture = course([Point(f"day {n}", 50, 40, 60) for n in range(many)], id="c", title="t", told="d")
    root = ElementTree.fromstring(picture)
    days = [text for text in root.iter(f"{SVG}text") if text.text.startswith("day")]
    assert 1 <= len(days) <= 3
    assert len(list(root.iter(f"{SVG}circle"))) == many


def test_a_name_too_long_for_a_phone_is_cut():
    assert "…</text>" in drawn([Point("Mug " * 20, 1, 0, 2)])
