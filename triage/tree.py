"""The tree of categories: what lies below each, its names, and what to ask whoever needs it. Pure.

It stands in tree.yaml. Where a request goes and how its clocks run depends on the top level alone; what lies below
tells whoever takes the call what to ask next.
"""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.requests import Reason
from shared.contracts.vocabulary import Category, Language
from triage.signs import Hit

BELOW = "below"
"""The rule by which a reason names a category below; it gives `medical/dialysis`."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Named(_Strict):
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class _Asked(_Strict):
    zh: tuple[str, ...] = Field(min_length=1)
    en: tuple[str, ...] = Field(min_length=1)


class Wording(_Strict):
    """Phrases, in both languages."""

    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class Node(_Strict):
    """A category: its names, and what to ask."""

    name: _Named
    ask: _Asked

    def named(self) -> dict[Language, str]:
        """The name by language."""
        return {Language.ZH: self.name.zh, Language.EN: self.name.en}

    def asked(self) -> dict[Language, list[str]]:
        """The questions by language."""
        return {Language.ZH: list(self.ask.zh), Language.EN: list(self.ask.en)}


class Twig(Node):
    """A category below another: known by signs, and by words of its own."""

    signs: tuple[str, ...] = ()
    words: Wording = Wording()


class Branch(Node):
    """A category of the top level."""

    below: dict[str, Twig] = {}

    def questions(self, below: str | None, language: Language) -> list[str]:
        """What to ask, the closest first."""
        twig = self.below.get(below) if below else None
        return [*(twig.asked()[language] if twig else ()), *self.asked()[language]]

    def closest(self, category: Category, found: Mapping[str, Sequence[Hit]]) -> tuple[str, Hit] | None:
        """The category below that most speaks for, as `medical/dialysis`, and what speaks for it first."""
        best: tuple[int, str, Hit] | None = None
        for name, twig in self.below.items():
            speaking = [hit for sign in twig.signs for hit in found.get(sign, ())[:1]]
            speaking += found.get(node_name(category, name), ())
            if speaking and (best is None or len(speaking) > best[0]):
                best = (len(speaking), name, speaking[0])
        return best and (node_path(category, best[1]), best[2])


class TreeFile(_Strict):
    """tree.yaml."""

    categories: dict[Category, Branch]


def node_name(category: Category, name: str) -> str:
    """The name under which the phrasebook finds the words of a category below another."""
    return f"{BELOW}.{category.value}.{name}"


def node_path(category: Category, name: str) -> str:
    """A category below another, as reasons name it."""
    return f"{category.value}/{name}"


def below(reasons: Iterable[Reason]) -> str | None:
    """The category below that the reasons name."""
    return next((reason.gives.partition("/")[2] for reason in reasons if reason.rule == BELOW), None)
