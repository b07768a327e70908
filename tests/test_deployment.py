"""What is needed in production: the example of settings, the locks, the image, the composition."""

import re
from pathlib import Path
from typing import Any

import pytest

from portal import config
from portal.config import Settings

ROOT = Path(__file__).parent.parent
EXAMPLE = (ROOT / ".env.example").read_text()
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def example(commented: bool) -> dict[str, str]:
    """The settings in the example; with `commented` those too that are left out."""
    mark = "#?" if commented else ""
    return dict(re.findall(rf'^{mark}([A-Z_]+)="?(.*?)"?$', EXAMPLE, re.MULTILINE))


def test_the_example_names_every_setting_and_no_other() -> None:
    only_for_compose = {"POSTGRES_PASSWORD"}
    assert set(example(commented=True)) - only_for_compose == {name.upper() for name in Settings.model_fields}


def test_the_example_filled_in_is_a_good_set_of_settings() -> None:
    settings = config.read({**example(commented=False), "SECRET_KEY": "k" * 64})
    assert settings.https
    assert settings.mail_use_tls


def test_13_3_1_the_example_as_it_is_does_not_start() -> None:
    with pytest.raises(config.BadSettings, match="SECRET_KEY is still the example"):
        config.read(example(commented=False))


def test_the_defaults_that_the_example_tells_are_the_real_ones() -> None:
    given: dict[str, Any] = {name.lower(): value for name, value in example(commented=True).items()}
    told = {"cutoff", "handling_days", "transit_days", "transit_days_abroad", "survey_after", "return_window_days"}
    told |= {"case_deadline_hours", "var_dir", "stripe_api_base", "shop_country", "shop_language", "shop_timezone"}
    settings = Settings(secret_key="k" * 64, **{name: given[name] for name in told})
    plain = Settings(secret_key="k" * 64)
    assert {name: getattr(settings, name) for name in told} == {name: getattr(plain, name) for name in told}


@pytest.mark.parametrize("name", LOCKS)
def test_15_1_2_a_lock_pins_every_package_by_hash_and_names_no_index(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    pinned = [line for line in lines if re.match(r"[a-z0-9.-]+==", line)]
    assert len(pinned) > 30
    assert all(line.endswith("\\") for line in pinned)
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    assert {line.strip().split(":")[0] for line in lines if line.startswith("    --")} == {"--hash=sha256"}


def test_the_locks_agree_and_hold_what_the_project_asks_for() -> None:
    runtime, dev = (
        dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)) for name in LOCKS
    )
    assert runtime.items() <= dev.items()
    asked = re.findall(r'^    "([a-z0-9-]+)[\[>]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(asked) - {"aftersale"} <= set(dev)


def test_the_image_copies_only_what_there_is() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    missing = [path for line in copied for path in line.split() if not (ROOT / path).exists()]
    assert not missing


def test_the_image_and_the_composition_start_commands_that_exist() -> None:
    said = (ROOT / "Dockerfile").read_text() + (ROOT / "compose.yaml").read_text()
    assert set(re.findall(r'"portal", "(\w+)"', said)) == {"web", "worker", "migrate"}


@pytest.mark.parametrize("key", ["", "short", "x" * 31, "change-me" * 8])
def test_13_3_1_a_key_that_could_be_guessed_does_not_start(key: str) -> None:
    with pytest.raises(config.BadSettings, match="SECRET_KEY"):
        config.read({"SECRET_KEY": key})
    assert config.read({"SECRET_KEY": "x" * 32}).secret_key == "x" * 32
