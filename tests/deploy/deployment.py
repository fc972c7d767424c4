"""What lies in deploy/, read: the image's file, the compose file, and the manifests as kustomize would give them."""

import copy
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import services.gateway.app
from docs import asyncapi
from services import standalone
from services.installation import write_secrets
from shared import health, server
from shared.settings import Settings
from tests.support.harness import project_root

Manifest = dict[str, Any]
DEPLOY = project_root() / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
BUILDS = {**standalone.INSIDE, "gateway": services.gateway.app.build}
HEALTH = {route.path for route in health.router.routes if hasattr(route, "path")}
STOP_SECONDS = server.STOP_SECONDS + 2 * Settings.model_fields["stop_seconds"].default
"""Calls are ended, then loops, then leases are handed over."""
SETTINGS = {f"HEED_{name.upper()}" for name in Settings.model_fields}


@dataclass(frozen=True)
class Instruction:
    """One line of a Containerfile, and the stage it stands in."""

    stage: int
    name: str
    words: str

    @property
    def arguments(self) -> list[str]:
        """The words: a JSON list where it is one."""
        listed = self.words.partition("[")
        if listed[1] and self.words.endswith("]"):
            parsed: list[str] = json.loads(listed[1] + listed[2])
            return parsed
        return shlex.split(self.words)


def containerfile() -> list[Instruction]:
    """The instructions of the image's file; the stages count from 1."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found, stage = [], 0
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, words = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(words.split())))
    return found


def compose() -> Manifest:
    """The compose file."""
    document: Manifest = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


def documents(path: Path) -> list[Manifest]:
    """All documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def kustomization(folder: str) -> Manifest:
    """The kustomization of a folder under kubernetes/."""
    (document,) = documents(KUBERNETES / folder / "kustomization.yaml")
    return document


def base() -> list[Manifest]:
    """The manifests of the base, with the generated ConfigMap."""
    written = [manifest for name in kustomization("base")["resources"] for manifest in _written("base", name)]
    return [*written, config_map(literals("base"))]


def city() -> list[Manifest]:
    """The manifests of the city: the base, what is added, and patches on both."""
    overlay = kustomization("city")
    added = [m for name in overlay["resources"] if name != "../base" for m in _written("city", name)]
    manifests = [m for m in copy.deepcopy(base()) if m["kind"] != "ConfigMap"] + added
    for patch in overlay["patches"]:
        targets = [m for m in manifests if _is_target(m, patch["target"])]
        assert targets, f"{patch['path']} is a patch of nothing"
        operations = yaml.safe_load((KUBERNETES / "city" / patch["path"]).read_text())
        for manifest in targets:
            apply_patch(manifest, operations)
    return [*manifests, config_map(literals("base") | literals("city"))]


def _written(folder: str, name: str) -> list[Manifest]:
    return documents(KUBERNETES / folder / name)


def literals(folder: str) -> dict[str, str]:
    """What a kustomization puts into the ConfigMap of the settings."""
    (generator,) = kustomization(folder)["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generator["literals"])


def config_map(data: Mapping[str, str]) -> Manifest:
    """The ConfigMap that kustomize makes of them."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "heed"}, "data": dict(data)}


def _is_target(manifest: Manifest, target: Mapping[str, str]) -> bool:
    name = re.fullmatch(target.get("name", ".*"), manifest["metadata"]["name"])
    return manifest["kind"] == target["kind"] and name is not None


def apply_patch(manifest: Any, operations: list[Manifest]) -> None:
    """A JSON Patch of `add` to a list's end and `replace`; raises KeyError where there is nothing to replace."""
    for operation in operations:
        *steps, last = operation["path"].removeprefix("/").split("/")
        place = manifest
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if operation["op"] == "add" and last == "-":
            place.append(operation["value"])
        elif operation["op"] == "replace" and last in place:
            place[last] = operation["value"]
        else:
            raise KeyError(operation["path"])


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """The manifests of a kind, by name."""
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every pod template with its workload's name."""
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "Job"}:
            yield manifest["metadata"]["name"], manifest["spec"]["template"]


def reads(service: str) -> dict[str, str]:
    """The topics that a service reads, each with its consumer group, as the AsyncAPI document has them."""
    return {
        operation["channel"]["$ref"].removeprefix("#/channels/"): operation["bindings"]["kafka"]["groupId"]["enum"][0]
        for name, operation in asyncapi.document()["operations"].items()
        if name.startswith(f"{service}.reads.")
    }


def secrets_in(folder: Path) -> Path:
    """The secrets that `heed secrets` writes, in this folder."""
    write_secrets(folder, "postgres:5432")
    return folder
