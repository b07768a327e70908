"""What a shop says in several languages, typed one language per line: "de: Nur im Laden"."""

from collections.abc import Mapping

from portal.config import LANGUAGES


def understood(typed: str) -> bool:
    """Whether each line names one of our languages and says something in it."""
    lines = [line.partition(":") for line in typed.splitlines() if line.strip()]
    return all(language.strip() in LANGUAGES and said.strip() for language, _colon, said in lines)


def by_language(typed: str, longest: int) -> dict[str, str]:
    parts = (line.partition(":") for line in typed.splitlines() if line.strip())
    return {language.strip(): said.strip()[:longest] for language, _colon, said in parts}


def one_per_line(said: Mapping[str, str]) -> str:
    """The same as it is typed."""
    return "\n".join(f"{language}: {words}" for language, words in said.items())
