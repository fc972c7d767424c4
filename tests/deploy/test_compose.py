"""The compose file: valid, whole, and in agreement with the code that it starts."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import pytest

from services import cli, standalone
from services.installation import ADMIN, NEEDS
from shared.bus.kafka_address import Address
from shared.database import POOL_CONNECTIONS
from shared.settings import Settings
from tests.deploy.deployment import BUILDS, DEPLOY, SETTINGS, STOP_SECONDS, compose, secrets_in

SCHEMA = Path(__file__).parent / "schemas" / "compose-spec.json"
DOCUMENT = compose()
OURS = {name: service for name, service in DOCUMENT["services"].items() if service["image"].startswith("heed:")}
SERVED = {name: OURS[name] for name in OURS if OURS[name]["command"][0] == "serve"}
INFRASTRUCTURE = {name: service for name, service in DOCUMENT["services"].items() if name not in OURS}


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))


def conditions(service: dict[str, Any]) -> dict[str, str]:
    return {name: waited["condition"] for name, waited in service.get("depends_on", {}).items()}


def test_it_is_valid_by_the_specification(schema: jsonschema_rs.Validator) -> None:
    assert [f"{error.instance_path}: {error.message}" for error in schema.iter_errors(DOCUMENT)] == []


def test_a_file_that_is_not_valid_is_found(schema: jsonschema_rs.Validator) -> None:
    wrong = copy.deepcopy(DOCUMENT)
    wrong["services"]["intake"]["read_onyl"] = True
    assert not schema.is_valid(wrong)
    wrong = copy.deepcopy(DOCUMENT)
    wrong["services"]["intake"]["depends_on"]["kafka"]["condition"] = "service_is_healthy"
    assert not schema.is_valid(wrong)


def test_every_service_runs_twice() -> None:
    assert {service["command"][1] for service in SERVED.values()} == set(standalone.NAMES)
    assert all(name == service["command"][1] for name, service in SERVED.items())
    assert {service["deploy"]["replicas"] for service in SERVED.values()} == {2}


@pytest.mark.parametrize("name", OURS)
def test_its_command_exists(name: str) -> None:
    command, *arguments = OURS[name]["command"]
    assert isinstance(cli.main, click.Group)
    found = cli.main.commands[command]
    assert len([parameter for parameter in found.params if isinstance(parameter, click.Argument)]) == len(arguments)


@pytest.mark.parametrize("name", OURS)
def test_its_settings_exist(name: str) -> None:
    assert set(OURS[name]["environment"]) <= SETTINGS


@pytest.mark.parametrize("name", SERVED)
def test_it_can_be_built_from_what_it_is_given(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variables and the files that are mounted, and nothing else."""
    written = secrets_in(tmp_path / "secrets")
    mounted = tmp_path / "run"
    mounted.mkdir()
    for secret in SERVED[name]["secrets"]:
        source = written / Path(DOCUMENT["secrets"][secret["source"]]["file"]).relative_to("secrets")
        (mounted / secret["target"]).write_text(source.read_text())
    assert SERVED[name]["environment"]["HEED_SECRETS"] == "/run/secrets", "where the engine mounts them"
    for variable, value in SERVED[name]["environment"].items():
        monkeypatch.setenv(variable, str(mounted) if variable == "HEED_SECRETS" else value)
    assert BUILDS[name](Settings(), None).state.service.name == name
    assert {secret["target"] for secret in SERVED[name]["secrets"]} == set(NEEDS[name]), "its own and no other's"
    assert {secret["source"] for secret in SERVED[name]["secrets"]} == {f"{name}_{need}" for need in NEEDS[name]}


def test_every_secret_is_a_file_that_the_command_writes(tmp_path: Path) -> None:
    written = {f"./secrets/{path.relative_to(tmp_path)}" for path in secrets_in(tmp_path).rglob("*") if path.is_file()}
    named = {secret["file"] for secret in DOCUMENT["secrets"].values()}
    assert named <= written
    assert written - named == {f"./secrets/{ADMIN}/postgres"}, "only the one who makes the databases has that"
    assert "deploy/secrets/" in (DEPLOY.parent / ".gitignore").read_text().split()


def test_who_makes_the_databases_finds_the_administrators_address() -> None:
    databases = OURS["databases"]
    assert databases["volumes"] == [f"./secrets:{databases['command'][1]}:ro"]
    assert databases["environment"]["HEED_SECRETS"] == f"{databases['command'][1]}/{ADMIN}"
    assert databases["restart"] == "no"


def test_nothing_is_public_but_the_gateway() -> None:
    services = DOCUMENT["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"gateway"}
    assert DOCUMENT["networks"]["inside"]["internal"] is True
    assert {name for name, service in services.items() if "outside" in service["networks"]} == {"gateway", "callbacks"}
    (port,) = services["gateway"]["ports"]
    first, last = map(int, port["published"].split("-"))
    assert (last - first + 1, port["target"]) == (services["gateway"]["deploy"]["replicas"], 8000)


@pytest.mark.parametrize("name", OURS)
def test_it_has_no_rights(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"user", "privileged", "cap_add", "network_mode", "pid"} & set(service)


@pytest.mark.parametrize("name", SERVED)
def test_a_stop_has_its_time(name: str) -> None:
    assert float(SERVED[name]["stop_grace_period"].removesuffix("s")) > STOP_SECONDS


def test_each_waits_for_what_it_needs_and_that_says_when_it_is_well() -> None:
    services = DOCUMENT["services"]
    for name, service in services.items():
        for other, condition in conditions(service).items():
            if condition == "service_healthy":
                assert "healthcheck" in services[other] or other in SERVED, f"{name} waits for {other} for ever"
            if condition == "service_completed_successfully":
                assert services[other]["restart"] == "no"
    assert conditions(services["databases"]) == {"postgres": "service_healthy"}
    for name in standalone.INSIDE:
        assert set(conditions(services[name])) == {"kafka", "databases"}
    assert set(conditions(services["gateway"])) == {"kafka", "databases", *standalone.INSIDE}


def test_what_it_names_is_there() -> None:
    assert {network for s in DOCUMENT["services"].values() for network in s["networks"]} == set(DOCUMENT["networks"])
    volumes = [volume.split(":")[0] for service in INFRASTRUCTURE.values() for volume in service["volumes"]]
    assert sorted(volumes) == sorted(DOCUMENT["volumes"])
    for service in SERVED.values():
        for variable, value in service["environment"].items():
            if variable.endswith("_URL"):
                assert value == f"http://{variable.removeprefix('HEED_').removesuffix('_URL').lower()}:8000"


def test_the_broker_is_where_the_services_look_and_of_the_version_that_the_tests_run() -> None:
    kafka = DOCUMENT["services"]["kafka"]
    pom = (DEPLOY / "kafka" / "pom.xml").read_text()
    version = re.search(r"<kafka.version>(.*)</kafka.version>", pom)
    assert version
    assert kafka["image"] == f"docker.io/apache/kafka:{version[1]}"
    (server,) = {tuple(Address.of(service["environment"]["HEED_BUS"]).servers) for service in SERVED.values()}
    assert f"PLAINTEXT://{server[0]}" == kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert {service["environment"]["HEED_BUS_REPLICATION"] for service in SERVED.values()} == {"1"}
    assert kafka["environment"]["KAFKA_LOG_FLUSH_INTERVAL_MESSAGES"] == "1", "one copy must be on a disk"


def test_the_database_takes_every_connection_that_may_come() -> None:
    processes = sum(service["deploy"]["replicas"] for service in SERVED.values())
    (allowed,) = (w for w in DOCUMENT["services"]["postgres"]["command"] if w.startswith("max_connections="))
    assert int(allowed.partition("=")[2]) > processes * 2 * POOL_CONNECTIONS
