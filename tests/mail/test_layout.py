"""The look of letters: compiled, escaped, and without anything from elsewhere."""

import re
from typing import Any

import pytest
from flask import Flask
from jinja2 import ChoiceLoader, DictLoader

from portal.mail.rendering import Rendered, render

A_LETTER = {
    "mail/sample/subject.txt": "About {{ title }}",
    "mail/sample/body.txt": (
        '{% extends "mail/layout.txt" %}{% block headline %}Hello{% endblock %}'
        '{% block content %}{{ title }}{% endblock %}{% block button %}{{ link("track") }}{% endblock %}'
    ),
    "mail/sample/body.mjml": (
        '{% extends "mail/layout.mjml" %}{% import "components/letter.html" as letter %}'
        "{% block preheader %}Soon{% endblock %}{% block headline %}{{ title }}{% endblock %}"
        '{% block markup %}{{ letter.markup({"@type": "ParcelDelivery", "name": title}) }}{% endblock %}'
        "{% block content %}{{ letter.text(title) }}{{ letter.lines([(title, '12.00 €')]) }}"
        "{{ letter.quote(title, by=title) }}{% endblock %}"
        '{% block button %}{{ letter.button("Follow it", link("track")) }}{% endblock %}'
    ),
}


@pytest.fixture
def sample(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Render a letter that has every piece, about something with this title."""
    loader = ChoiceLoader([DictLoader(A_LETTER), app.jinja_env.loader or DictLoader({})])
    monkeypatch.setattr(app.jinja_env, "loader", loader)

    def rendered(title: str = "Mug") -> Rendered:
        return render("sample", "en", {"title": title}, "mark")

    return rendered


def test_it_is_html_with_one_main_button_and_its_address_spelled_out(sample: Any) -> None:
    html = sample().html
    address = "http://127.0.0.1:8000/l/~mark.track~"
    assert "<mj-" not in html
    assert html.count(f'href="{address}"') == 2, "the button and the spelled address"
    assert f">{address}</a>" in html
    assert "Lantern &amp; Loom" in html


def test_its_text_part_reads_by_itself(sample: Any) -> None:
    text = sample("Blue & white").text
    assert text.startswith("Hello\n")
    assert "Blue & white" in text
    assert "http://127.0.0.1:8000/l/~mark.track~" in text
    assert "Lantern & Loom" in text


def test_what_people_typed_stays_text(sample: Any) -> None:
    html = sample('<img src=x onerror="alert(1)"></mj-text></script>').html
    assert "<img src=x" not in html
    assert html.count("&lt;img src=x") >= 4
    assert html.count("</script>") == 1, "the markup's own end"


def test_nothing_in_it_comes_from_elsewhere(sample: Any) -> None:
    """MJML would fetch web fonts by itself when it knows one of the font's names."""
    html = re.sub(r"<!--\[if.*?endif\]-->", "", sample().html, flags=re.DOTALL)
    assert "@import" not in html
    assert "<link" not in html
    assert "<img" not in html


def test_mail_programs_find_the_markup(sample: Any) -> None:
    html = sample().html
    assert '<script type="application/ld+json">{"@context": "http://schema.org", "@type": "ParcelDelivery"' in html
    assert html.index("ld+json") < html.index("<body")
