"""A question as a letter puts it: its scale, its words, and the article that its stars are for."""

from dataclasses import dataclass

from portal.feedback.articles import Article
from portal.feedback.questions import QuestionVersion, Said


@dataclass(frozen=True, slots=True)
class Put:
    """What the letter needs. A tap on one of the `signs` leads to the form with that value chosen."""

    kind: str
    said: Said
    signs: tuple[tuple[int, str, str], ...]
    reason: str
    article: Article | None
    anonymous: bool

    @property
    def many(self) -> bool:
        """Whether the scale needs the whole width of a small phone."""
        return len(self.signs) > 7

    def query(self, value: int) -> str:
        """What a link adds to its address, to choose this value."""
        return f"?v={value}&a={self.article.id}" if self.article else f"?v={value}"


def put_in(
    version: QuestionVersion, locale: str, reason: str, article: Article | None = None, *, anonymous: bool = False
) -> Put:
    """This version in this language; each value with its sign and its name."""
    said = version.said(locale)
    star = "★" if version.kind == "stars" else ""
    signs = tuple((value, f"{value}{star}", said.labels[n]) for n, value in enumerate(version.values))
    return Put(version.kind, said, signs, reason, article, anonymous)
