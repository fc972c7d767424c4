"""A YAML file with the line of each of its places, so that an error can name it. Pure."""

from collections.abc import Sequence
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quick one where the library was built with it."""


class NotYaml(ValueError):
    """The file is not YAML; the message names the line."""


def read(name: str, text: str) -> Any:
    """The content of a file; raises NotYaml."""
    try:
        return yaml.load(text, Loader=LOADER)  # noqa: S506 one of the two safe ones
    except yaml.MarkedYAMLError as broken:
        line = broken.problem_mark.line + 1 if broken.problem_mark else 1
        raise NotYaml(f"{name}.yaml:{line}: is not YAML: {broken.problem}") from broken
    except (yaml.YAMLError, RecursionError) as broken:
        raise NotYaml(f"{name}.yaml:1: is not YAML") from broken


def line_of(text: str, where: Sequence[int | str]) -> int:
    """The line of a place in a file that is YAML, or of the last part of it that is there."""
    node = yaml.compose(text, Loader=LOADER)
    for step in where:
        child = _child(node, step)
        if child is None:
            break
        node = child
    return int(node.start_mark.line) + 1 if node else 1


def _child(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        children: list[yaml.Node] = node.value
        return children[step] if step < len(children) else None
    if isinstance(node, yaml.MappingNode):
        return next((child for key, child in node.value if str(key.value) == str(step)), None)
    return None


def line_with(text: str, words: str) -> int:
    """The first line that holds these words; 1 where none does."""
    place = text.find(words)
    return text.count("\n", 0, max(place, 0)) + 1
