"""The manifests: valid, in agreement with each other, and with the code that they start; the base as the city."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from services import cli, standalone
from services.installation import ADMIN, NEEDS
from shared.bus.kafka_address import Address
from shared.settings import Settings
from tests.deploy.deployment import (
    BUILDS,
    HEALTH,
    KUBERNETES,
    SETTINGS,
    STOP_SECONDS,
    Manifest,
    apply_patch,
    base,
    city,
    containerfile,
    kustomization,
    literals,
    of_kind,
    pods,
    reads,
    secrets_in,
)

OLDEST, NEWEST = "1.33", "1.37"
"""Of Kubernetes: `preStop.sleep` is in general use since the one, the other is the newest known here."""
LAG = Path(__file__).parent / "schemas" / "keda-scaledobject.json"
GENERAL = {"heed.directory": "hardly any facts"}
"""Topics by which nothing is scaled."""
Read = Callable[[], list[Manifest]]
both = pytest.mark.parametrize("read", [base, city], ids=["base", "city"])


def check(manifest: Manifest, version: str) -> None:
    """Raise where the manifest is not valid."""
    if manifest["kind"] == "ScaledObject":
        jsonschema_rs.validate(json.loads(LAG.read_text()), manifest)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


def container(pod: Manifest) -> Manifest:
    (only,) = pod["spec"]["containers"]
    found: Manifest = only
    return found


def chosen(selector: Manifest, manifests: list[Manifest]) -> set[str]:
    """The workloads whose pods a selector chooses."""
    wanted = selector.get("matchLabels", selector if "matchExpressions" not in selector else {})
    among = {e["key"]: e["values"] for e in selector.get("matchExpressions", ())}
    return {
        name
        for name, pod in pods(manifests)
        if wanted.items() <= pod["metadata"]["labels"].items()
        and all(pod["metadata"]["labels"].get(key) in values for key, values in among.items())
    }


@pytest.mark.parametrize(("read", "version"), [(base, OLDEST), (city, NEWEST)], ids=["base", "city"])
def test_every_manifest_is_valid(read: Read, version: str) -> None:
    manifests = read()
    assert len(manifests) > 25
    for manifest in manifests:
        check(manifest, version)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", "/spec/template/spec/containers/0/readinessProbe"),
        ("PodDisruptionBudget", "/spec/selector"),
        ("HorizontalPodAutoscaler", "/spec/maxReplicas"),
        ("NetworkPolicy", "/spec/policyTypes"),
        ("Job", "/spec/template/spec/volumes"),
        ("ScaledObject", "/spec/fallback"),
    ],
)
def test_a_manifest_that_is_not_valid_is_found(kind: str, path: str) -> None:
    manifest = next(copy.deepcopy(m) for m in base() if m["kind"] == kind)
    apply_patch(manifest, [{"op": "replace", "path": path, "value": {"misspelt": 1}}])
    with pytest.raises((kubernetes_validate.ValidationError, jsonschema_rs.ValidationError)):
        check(manifest, NEWEST)


@pytest.mark.parametrize("folder", ["base", "city"])
def test_every_file_is_used_and_every_file_that_is_named_is_there(folder: str) -> None:
    document = kustomization(folder)
    named = {*document["resources"], *(patch["path"] for patch in document.get("patches", ()))} - {"../base"}
    there = {path.name for path in (KUBERNETES / folder).iterdir()}
    assert named == there - {"kustomization.yaml"}


def test_a_patch_of_something_that_is_not_there_is_found() -> None:
    with pytest.raises(KeyError):
        apply_patch({"spec": {}}, [{"op": "replace", "path": "/spec/maxReplicaCount", "value": 1}])


def test_the_citys_image_has_a_version() -> None:
    images = {container(pod)["image"] for _, pod in pods(base())}
    (replaced,) = kustomization("city")["images"]
    assert images == {replaced["name"]}
    assert replaced["newTag"] != "latest"


@both
def test_every_service_is_there_twice_and_stays_there(read: Read) -> None:
    manifests = read()
    assert set(of_kind(manifests, "Deployment")) == set(standalone.NAMES)
    for name, deployment_ in of_kind(manifests, "Deployment").items():
        labels = deployment_["spec"]["template"]["metadata"]["labels"]
        assert deployment_["spec"]["selector"]["matchLabels"] == labels
        assert chosen(deployment_["spec"]["selector"], manifests) == {name}
        assert "replicas" not in deployment_["spec"], "the autoscaler's"
        assert deployment_["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert container(deployment_["spec"]["template"])["args"] == ["serve", name]
        budget = of_kind(manifests, "PodDisruptionBudget")[name]
        assert chosen(budget["spec"]["selector"], manifests) == {name}
        for spread in deployment_["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert chosen(spread["labelSelector"], manifests) == {name}


@both
def test_every_service_is_scaled_by_one_only(read: Read) -> None:
    manifests = read()
    by_lag, by_cpu = of_kind(manifests, "ScaledObject"), of_kind(manifests, "HorizontalPodAutoscaler")
    assert sorted([*by_lag, *by_cpu]) == sorted(standalone.NAMES)
    for name, scaler in {**by_lag, **by_cpu}.items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
    for scaler in by_cpu.values():
        assert scaler["spec"]["minReplicas"] >= 2
        assert scaler["spec"]["scaleTargetRef"] | {"name": ""} == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "",
        }


@both
def test_consumers_are_scaled_by_the_lag_of_their_own_group(read: Read) -> None:
    manifests = read()
    settings = of_kind(manifests, "ConfigMap")["heed"]["data"]
    for name, scaler in of_kind(manifests, "ScaledObject").items():
        triggers = [trigger["metadata"] for trigger in scaler["spec"]["triggers"]]
        watched = {trigger["topic"]: trigger["consumerGroup"] for trigger in triggers}
        assert watched == {topic: group for topic, group in reads(name).items() if topic not in GENERAL}
        servers = {server for trigger in triggers for server in trigger["bootstrapServers"].split(",")}
        assert servers == set(Address.of(settings["HEED_BUS"]).servers)
        assert scaler["spec"]["maxReplicaCount"] <= int(settings["HEED_BUS_PARTITIONS"]), "more would have no partition"


@both
def test_each_is_reached_under_its_name(read: Read) -> None:
    manifests = read()
    assert set(of_kind(manifests, "Service")) == set(standalone.NAMES)
    settings = of_kind(manifests, "ConfigMap")["heed"]["data"]
    for name, service in of_kind(manifests, "Service").items():
        assert chosen(service["spec"]["selector"], manifests) == {name}
        (port,) = service["spec"]["ports"]
        pod = dict(pods(manifests))[name]
        assert {p["name"]: p["containerPort"] for p in container(pod)["ports"]}[port["targetPort"]] == 8000
        assert settings[f"HEED_{name.upper()}_URL"] == f"http://{name}:{port['port']}"


@both
def test_probes_ask_for_what_is_answered(read: Read) -> None:
    for manifest in of_kind(read(), "Deployment").values():
        asked = container(manifest["spec"]["template"])
        probes = {name: asked[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
        assert {probe["path"] for probe in probes.values()} <= HEALTH
        assert probes["liveness"]["path"] == "/livez", "a database that is away is no reason to start anew"
        assert probes["readiness"]["path"] == "/readyz"
        assert {probe["port"] for probe in probes.values()} == {port["name"] for port in asked["ports"]}


@both
def test_metrics_are_found_and_a_stop_has_its_time(read: Read) -> None:
    for manifest in of_kind(read(), "Deployment").values():
        template = manifest["spec"]["template"]
        found = {key.partition("/")[2]: value for key, value in template["metadata"]["annotations"].items()}
        assert found["scrape"] == "true"
        assert found["path"] in HEALTH
        assert int(found["port"]) in {port["containerPort"] for port in container(template)["ports"]}
        before = container(template)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert template["spec"]["terminationGracePeriodSeconds"] > before + STOP_SECONDS


@both
def test_no_pod_has_rights(read: Read) -> None:
    (user,) = (line.words for line in containerfile() if line.name == "USER")
    for name, pod in pods(read()):
        whole, own = pod["spec"]["securityContext"], container(pod)["securityContext"]
        assert whole["runAsNonRoot"] is True, name
        assert f"{whole['runAsUser']}:{whole['runAsGroup']}" == user, "the image's"
        assert whole["seccompProfile"]["type"] == "RuntimeDefault"
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["enableServiceLinks"] is False, "else a Service named heed sets HEED_PORT"
        assert {"cpu", "memory"} <= set(container(pod)["resources"]["requests"])
        assert "memory" in container(pod)["resources"]["limits"]


@both
def test_its_settings_exist(read: Read) -> None:
    manifests = read()
    assert set(of_kind(manifests, "ConfigMap")["heed"]["data"]) <= SETTINGS
    for _, pod in pods(manifests):
        assert {variable["name"] for variable in container(pod).get("env", ())} <= SETTINGS
        assert [source["configMapRef"]["name"] for source in container(pod).get("envFrom", ())] in ([], ["heed"])


@both
@pytest.mark.parametrize("service", standalone.NAMES)
def test_a_service_can_be_built_from_what_it_is_given(
    read: Read, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = read()
    pod = dict(pods(manifests))[service]
    settings = of_kind(manifests, "ConfigMap")["heed"]["data"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container(pod)["volumeMounts"]}
    assert set(volumes) == set(mounts)
    assert volumes["secrets"]["secret"]["secretName"] == f"heed-{service}", "its own and no other's"
    assert mounts["secrets"] == settings["HEED_SECRETS"]
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("HEED_SECRETS", str(secrets_in(tmp_path) / service))
    assert BUILDS[service](Settings(), None).state.service.name == service


def test_who_needs_the_citys_files_has_them() -> None:
    settings = literals("base") | literals("city")
    for name in ("dispatch", "followup"):
        mounts = {mount["name"]: mount["mountPath"] for mount in container(dict(pods(city()))[name])["volumeMounts"]}
        assert mounts["city"] == settings["HEED_CITY_DIR"]


@both
def test_the_databases_are_made_from_the_services_own_secrets(read: Read) -> None:
    pod = dict(pods(read()))["databases"]
    command, folder = container(pod)["args"]
    assert isinstance(cli.main, click.Group)
    assert command in cli.main.commands
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    sources = [source["secret"] for source in volumes["secrets"]["projected"]["sources"]]
    files = {(source["name"], item["key"]): item["path"] for source in sources for item in source["items"]}
    assert files == {
        ("heed-databases", "postgres"): "databases/postgres",
        **{(f"heed-{service}", "database"): f"{service}/database" for service in NEEDS},
    }
    mounts = {mount["name"]: mount["mountPath"] for mount in container(pod)["volumeMounts"]}
    assert mounts["secrets"] == folder
    assert container(pod)["env"] == [{"name": "HEED_SECRETS", "value": f"{folder}/databases"}]


def test_no_secret_lies_in_the_tree() -> None:
    files = list(KUBERNETES.rglob("*.yaml"))
    assert files
    for path in files:
        assert "kind: Secret" not in path.read_text()
        assert "secretGenerator" not in path.read_text()


@both
def test_what_is_not_named_is_closed(read: Read) -> None:
    manifests = read()
    policies = of_kind(manifests, "NetworkPolicy")
    assert policies["closed"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    allowed = [policy["spec"] for name, policy in policies.items() if name != "closed"]
    callers: dict[str, set[str]] = {name: set() for name in standalone.NAMES}
    for spec in allowed:
        assert chosen(spec["podSelector"], manifests), "a policy for nobody"
        for rule in spec.get("ingress", ()):
            for name in chosen(spec["podSelector"], manifests) & set(callers):
                callers[name] |= peers(rule["from"], manifests)
    assert callers == {"gateway": {"callbacks"}} | {name: {"gateway"} for name in standalone.INSIDE}
    for caller, called in ((caller, name) for name, them in callers.items() for caller in them):
        reached = {
            peer
            for spec in allowed
            if caller in chosen(spec["podSelector"], manifests)
            for rule in spec.get("egress", ())
            for peer in peers(rule["to"], manifests)
        }
        assert called in reached, f"{caller} may not speak to {called}"


def peers(named: list[Manifest], manifests: list[Manifest]) -> set[str]:
    """The pods of ours that a rule names."""
    return {name for peer in named if "podSelector" in peer for name in chosen(peer["podSelector"], manifests)}


@both
def test_each_reaches_the_bus_and_only_callbacks_the_world(read: Read) -> None:
    manifests = read()
    (server,) = Address.of(of_kind(manifests, "ConfigMap")["heed"]["data"]["HEED_BUS"]).servers
    policies = of_kind(manifests, "NetworkPolicy")
    common = policies["names-bus-and-databases"]["spec"]
    assert chosen(common["podSelector"], manifests) == {*standalone.NAMES, "databases"}
    ports = {port["port"] for rule in common["egress"] for port in rule["ports"]}
    assert ports == {53, 5432, int(server.rpartition(":")[2])}
    namespaces = {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in common["egress"]
        for peer in rule["to"]
    }
    assert server.split(":")[0].split(".")[1] in namespaces
    outside = {
        name
        for policy in policies.values()
        for rule in policy["spec"].get("egress", ())
        for peer in rule["to"]
        if "ipBlock" in peer
        for name in chosen(policy["spec"]["podSelector"], manifests)
    }
    assert outside == {"callbacks"}


def test_the_way_in_leads_to_the_gateway() -> None:
    (ingress,) = of_kind(city(), "Ingress").values()
    backend: Any = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    service = of_kind(city(), "Service")[backend["name"]]
    assert backend["name"] == "gateway"
    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    assert ingress["spec"]["rules"][0]["host"] in ingress["spec"]["tls"][0]["hosts"]


def test_the_citys_namespace_is_the_one_that_everything_is_in() -> None:
    (namespace,) = of_kind(city(), "Namespace")
    assert {kustomization(folder)["namespace"] for folder in ("base", "city")} == {namespace}


def test_the_page_makes_every_secret_and_file_that_is_mounted() -> None:
    text = (KUBERNETES.parents[1] / "docs" / "operating.md").read_text()
    named = re.search(r"^for name in (.*); do$", text, re.MULTILINE)
    assert named
    assert set(named[1].split()) == {*NEEDS, ADMIN}
    files = set(re.findall(r"--from-file=(\w+)\.yaml", text))
    assert files == {path.stem for path in (KUBERNETES.parent / "sample").glob("*.yaml")}
