"""Writes the pages, schemas and documents that are made from the code (`make docs`)."""

import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from docs import asyncapi, asyncapi_page
from shared.contracts import COMPACTED, FACTS, TOPICS, Fact
from shared.problems import BASE, Problem
from shared.settings import ROOT, Settings

PACKAGES = ("shared", "intake", "triage", "dispatch", "followup", "services")
SCHEMAS = Path("shared/contracts/schemas")
MADE = "<!-- Made from the code by `make docs`; change it there. -->\n"
MADE_YAML = "# Made from the code by `make docs`; change it there.\n"


def import_all() -> list[str]:
    """Import every module of the house, so that each problem is known; returns their names."""
    names = list(PACKAGES)
    for package in PACKAGES:
        folder = [str(ROOT / package)]
        names += [module.name for module in pkgutil.walk_packages(folder, f"{package}.")]
    for name in names:
        pkgutil.resolve_name(f"{name}:")
    return names


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(_sentence(part) for part in (text or "").split("\n\n"))


def _variable(name: str) -> str:
    return f"HEED_{name.upper()}"


def settings_page() -> str:
    """Every option with its default."""
    lines = [
        "# Settings",
        MADE,
        "Read once at start, from the environment. A name says its unit. What a city decides (minutes, shares,",
        "who does what) is no setting but data: files under `deploy/sample/`, applied and kept with their version.",
        "",
        "| variable | default | what it is |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=False)
        if isinstance(default, Path) and default.is_absolute():
            default = default.relative_to(ROOT)
        shown = "–" if default is None else f"`{default}`"
        lines.append(f"| `{_variable(name)}` | {shown} | {_sentence(field.description)} |")
    return "\n".join([*lines, ""])


def _problems(base: type[Problem]) -> Iterator[type[Problem]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _problems(kind)


def all_problems() -> list[type[Problem]]:
    """Every kind of problem in the house, by name."""
    import_all()
    here = {kind for kind in _problems(Problem) if kind.__module__.split(".")[0] in PACKAGES}
    return sorted(here | {Problem}, key=lambda kind: kind.slug())


def problems_page() -> str:
    """Every problem a caller may get, with what to do."""
    lines = [
        "# Problems",
        MADE,
        "An error is a problem document (RFC 9457, `application/problem+json`) with `type`, `title`, `status` and",
        f"`detail`; `type` is `{BASE}` and the word below. It is stable; `title` and `detail` are for people.",
        "",
        "| type | status | title | what to do |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{kind.slug()}` | {int(kind.status)} | {kind.title} | {_sentence(kind.__doc__)} |"
        for kind in all_problems()
    ]
    return "\n".join([*lines, ""])


def schema(fact: type[Fact]) -> dict[str, Any]:
    """The JSON Schema of a fact's data, as a reader must accept it."""
    made = fact.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": fact.TYPE, **made}


def _kind(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A field's type in a few words."""
    if "$ref" in field:
        return _kind(definitions[field["$ref"].rsplit("/", 1)[1]], definitions)
    if "enum" in field:
        return " \\| ".join(f"`{word}`" for word in field["enum"])
    if "anyOf" in field:
        return ", ".join(_kind(part, definitions) for part in field["anyOf"] if part.get("type") != "null")
    if field.get("type") == "array":
        inner = field.get("items") or {}
        return f"list of {_kind(inner, definitions)}" if inner else "list"
    if field.get("type") == "object" and "properties" in field:
        return "{" + ", ".join(field["properties"]) + "}"
    return str(field.get("format") or field.get("type") or "any")


def _event(fact: type[Fact]) -> Iterator[str]:
    made = schema(fact)
    required = set(made.get("required", ()))
    yield f"### `{fact.TYPE}`\n\n{_paragraphs(fact.__doc__)} Stated by {', '.join(fact.STATED_BY)}.\n"
    if not made["properties"]:
        yield "No data.\n"
        return
    yield "| field | kind | |\n|---|---|---|"
    for name, field in made["properties"].items():
        words = [] if name in required else ["Optional."]
        words += [_sentence(field["description"])] if "description" in field else []
        yield f"| `{name}` | {_kind(field, made.get('$defs', {}))} | {' '.join(words)} |"
    yield ""


def events_page() -> str:
    """Every fact on the bus, by topic."""
    lines = [
        "# Events",
        MADE,
        "CloudEvents 1.0 in the binary mode of the Kafka binding: attributes as headers `ce_id`, `ce_type`,",
        "`ce_source`, `ce_subject`, `ce_time`, `ce_sequence`; the value is JSON. `ce_sequence` counts, without gaps",
        "from 1, the facts that a source stated under one key of a topic. Readers ignore fields they do not know.",
        "JSON Schemas lie in `shared/contracts/schemas/`. The same for tools: [asyncapi.yaml](asyncapi.yaml)",
        "(AsyncAPI 3.0, also at `GET /asyncapi.json`), and with examples as [one page](asyncapi.html).",
        "",
    ]
    for topic in TOPICS:
        modules = dict.fromkeys(fact.__module__ for fact in FACTS.values() if topic == fact.TOPIC)
        kept = " Compacted: the newest per key is kept." if topic in COMPACTED else ""
        lines += [f"## `{topic}`", ""]
        for name in modules:
            lines += [_paragraphs(sys.modules[name].__doc__) + kept, ""]
            for fact in asyncapi.facts_of(topic):
                if fact.__module__ == name:
                    lines += _event(fact)
    return "\n".join(lines)


def files() -> dict[Path, str]:
    """Every file made from the code, by its path in the tree."""
    schemas = {SCHEMAS / f"{name}.json": json.dumps(schema(fact), indent=2) + "\n" for name, fact in FACTS.items()}
    events = asyncapi.document()
    return {
        Path("docs/asyncapi.yaml"): MADE_YAML + yaml.safe_dump(events, sort_keys=False, allow_unicode=True, width=110),
        Path("docs/asyncapi.html"): asyncapi_page.page(events),
        Path("services/gateway/asyncapi.json"): json.dumps(events, ensure_ascii=False, indent=1) + "\n",
        Path("docs/settings.md"): settings_page(),
        Path("docs/events.md"): events_page(),
        Path("docs/problems.md"): problems_page(),
        **schemas,
    }


def stale() -> list[Path]:
    """Paths that differ from what the code would make, or that nothing makes any more."""
    made = files()
    left = {path.relative_to(ROOT) for path in (ROOT / SCHEMAS).glob("*.json")} - made.keys()
    wrong = [path for path, text in made.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text]
    return sorted([*wrong, *left])


def main() -> None:
    """Write what is stale."""
    made = files()
    for path in stale():
        print(path)
        if path in made:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(made[path])
        else:
            (ROOT / path).unlink()


if __name__ == "__main__":
    main()
