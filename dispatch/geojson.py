"""Areas out of a GeoJSON FeatureCollection (RFC 7946), as a map program exports it. Pure.

Each feature is an area: its geometry the shape (or null), its properties `id`, `level`, `name` ({zh, en}, or `name_zh`
and `name_en`), `aliases` and `people` (lists, or one text with semicolons). Other properties are passed over.
"""

import hashlib
import json
from typing import Any

WGS_84 = ("CRS84", "EPSG::4326", "EPSG:4326")


class NotInDegrees(ValueError):
    """The file is in another reference system. Export it in WGS 84 (EPSG:4326)."""


def read(text: str) -> dict[str, Any] | None:
    """The collection; None where the text is something else. Raises json.JSONDecodeError, NotInDegrees."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{") or '"FeatureCollection"' not in text:
        return None
    collection = json.loads(text.lstrip("\ufeff"))
    if collection.get("type") != "FeatureCollection":
        return None
    system = json.dumps(collection.get("crs"))
    if collection.get("crs") is not None and not any(name in system for name in WGS_84):
        raise NotInDegrees("is in another reference system: export it in WGS 84 (EPSG:4326)")
    return dict(collection)


def as_areas(collection: dict[str, Any]) -> dict[str, Any]:
    """The content of areas.yaml that the collection stands for; its version is the file's own, or its hash."""
    features = collection.get("features")
    digest = hashlib.sha256(json.dumps(collection, sort_keys=True).encode()).hexdigest()
    return {
        "version": str(collection.get("version") or digest[:12]),
        "areas": [_area(feature) for feature in features] if isinstance(features, list) else features,
    }


def _area(feature: Any) -> Any:
    """What is no feature stays as it is, for the check to refuse it."""
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        return feature
    properties = feature["properties"]
    name = properties.get("name")
    return {
        "id": properties.get("id", feature.get("id")),
        "level": properties.get("level"),
        "name": name if isinstance(name, dict) else {"zh": properties.get("name_zh"), "en": properties.get("name_en")},
        "aliases": _listed(properties.get("aliases")),
        "people": _listed(properties.get("people")),
        "shape": feature.get("geometry"),
    }


def _listed(value: Any) -> Any:
    if value is None:
        return []
    return [part.strip() for part in value.split(";") if part.strip()] if isinstance(value, str) else value


def pointer(where: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Where a place in the content of areas.yaml stands in the collection."""
    match where:
        case ("areas", n, "shape", *_):
            return "features", n, "geometry"
        case ("areas", n, field, *rest):
            return "features", n, "properties", field, *rest
        case ("areas", *rest):
            return "features", *rest
        case _:
            return where
