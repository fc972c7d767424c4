"""The AsyncAPI document as a page to read: one file, no script, nothing from elsewhere."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Document = Mapping[str, Any]
DAY_MS = 24 * 60 * 60 * 1000
STYLE = (
    "body{font:16px/1.5 sans-serif;margin:2em auto;max-width:60em;padding:0 1em}code,pre{font-size:.9em}"
    "h3{margin-top:2em}table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2em .8em}"
    "tr{border-top:1px solid #ccc}pre{overflow:auto;background:#f4f4f4;padding:1em}summary{cursor:pointer}"
)


def page(document: Document) -> str:
    """The whole page."""
    return "\n".join(
        [
            "<!doctype html>",
            "<!-- Made from the code by `make docs`; change it there. -->",
            '<html lang="en"><meta charset="utf-8"><title>Heed: events</title>',
            f"<style>{STYLE}</style>",
            f"<h1>{escape(document['info']['title'])}: events</h1>",
            f"<p>{_text(document['info']['description'])}</p>",
            *_contents(document),
            "<h2>Headers</h2>",
            *_fields(document["components"]["schemas"]["CloudEventsHeaders"], document),
            *(line for topic in document["channels"] for line in _topic(topic, document)),
            "</html>",
            "",
        ]
    )


def _text(words: str) -> str:
    """Plain words; what stands between backticks is code."""
    parts = escape(words).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))


def _contents(document: Document) -> Iterator[str]:
    yield "<table><tr><th>topic</th><th>stated by</th><th>read by</th></tr>"
    for topic in document["channels"]:
        who: dict[str, list[str]] = defaultdict(list)
        for name, operation in document["operations"].items():
            if operation["channel"]["$ref"].endswith(f"/{topic}"):
                who[operation["action"]].append(name.split(".")[0])
        said, read = ", ".join(who["send"]), ", ".join(who["receive"]) or "those who run Heed"
        yield f'<tr><td><a href="#{topic}"><code>{topic}</code></a></td><td>{said}</td><td>{read}</td></tr>'
    yield "</table>"


def _topic(topic: str, document: Document) -> Iterator[str]:
    channel = document["channels"][topic]
    kafka = channel["bindings"]["kafka"]
    kept = kafka["topicConfiguration"]
    policy = ", ".join(kept["cleanup.policy"])
    days = kept["retention.ms"] // DAY_MS
    time = f"{days} days" if days > 0 else "for ever"
    yield f'<h2 id="{topic}"><code>{topic}</code></h2>'
    yield (
        f"<p>{_text(channel['description'])} Partitions: {kafka['partitions']} unless the settings say otherwise; "
        f"copies: {kafka['replicas']}, or one a broker; kept: {time} ({policy}).</p>"
    )
    for name in channel["messages"]:
        yield from _message(document["components"]["messages"][name], document)


def _message(message: Document, document: Document) -> Iterator[str]:
    name = message["name"]
    yield f'<h3 id="{name}"><code>{name}</code></h3><p>{_text(message["summary"])}</p>'
    if message["payload"] == {"type": "null"}:
        yield "<p>A record without a value (a tombstone).</p>"
        return
    yield from _fields(_resolved(message["payload"], document), document)
    for example in message.get("examples", ()):
        shown = "\n".join(f"{key}: {value}" for key, value in example["headers"].items())
        shown += "\n\n" + json.dumps(example["payload"], ensure_ascii=False, indent=2)
        yield f"<details><summary>Example</summary><pre>{escape(shown)}</pre></details>"


def _fields(schema: Document, document: Document) -> Iterator[str]:
    yield "<table>"
    for name, field in schema["properties"].items():
        optional = "" if name in schema.get("required", ()) else "optional"
        words = _text(" ".join(field.get("description", "").split()))
        kind = escape(_kind(field, document))
        yield f"<tr><td><code>{name}</code></td><td>{kind}</td><td>{optional}</td><td>{words}</td></tr>"
    yield "</table>"


def _resolved(schema: Document, document: Document) -> Document:
    reference = schema.get("$ref")
    return document["components"]["schemas"][reference.rsplit("/", 1)[1]] if reference else schema


def _kind(schema: Document, document: Document) -> str:
    """A field's type in a few words."""
    schema = _resolved(schema, document)
    if "const" in schema or "enum" in schema:
        return " | ".join(schema.get("enum") or [schema["const"]])
    if "anyOf" in schema:
        return ", ".join(_kind(part, document) for part in schema["anyOf"] if part.get("type") != "null")
    if schema.get("type") == "array":
        items = schema.get("items", {})
        return "list of " + ", ".join(_kind(part, document) for part in (items if isinstance(items, list) else [items]))
    if "properties" in schema:
        return "{" + ", ".join(schema["properties"]) + "}"
    return str(schema.get("format") or schema.get("type") or "any")
