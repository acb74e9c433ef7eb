"""What we give to those who run it on several nodes (compose.yaml, deploy/) says what it must, and fits the product.

No engine and no cluster is asked: the files are read. The image itself is in ``test_image``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from dockerfile import command_of, last, read_steps
from ruamel.yaml import YAML

from alerts import __version__
from alerts.cli import main
from alerts.daemon.roles import Role
from alerts.web import health

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
STEPS = read_steps((REPOSITORY / "Dockerfile").read_text(encoding="utf-8"))
COMPOSE = YAML(typ="safe").load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))
MANIFESTS = [
    manifest
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for manifest in YAML(typ="safe").load_all(path.read_text(encoding="utf-8"))
]
UNIT = DEPLOY / "systemd" / "news-alert.service"

OUR_USER = 10001
LEAVES_WITHIN_S = 30  # after SIGTERM, as docs/reliability.md has it
ROLES = {str(role) for role in Role}
PROBES = {route.path for route in health.ROUTES}

NODES = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "news-alert"}
DEPLOYMENTS = {one["metadata"]["name"]: one for one in MANIFESTS if one["kind"] == "Deployment"}


def pod(deployment: str) -> Any:
    return DEPLOYMENTS[deployment]["spec"]["template"]["spec"]


def container(deployment: str) -> Any:
    (only,) = pod(deployment)["containers"]
    return only


def setting(name: str) -> list[str]:
    """Return every value that the unit gives to a setting."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


COMMANDS = {
    "image": command_of(last(STEPS, "CMD")),
    **{f"compose {name}": service["command"] for name, service in NODES.items()},
    **{f"kubernetes {name}": container(name)["args"] for name in DEPLOYMENTS},
    "systemd": ["alerts", *setting("ExecStart")[0].replace("$RUN_OPTIONS", "").split()[1:]],
    "systemd, narrowed": ["alerts", "run", *re.findall(r"RUN_OPTIONS=(--.+)", UNIT.read_text())[0].split()],
}


# What each file says.


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_every_container_of_compose_is_confined(service: str) -> None:
    told = COMPOSE["services"][service]
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in told
    assert told["user"].split(":")[0] not in {"", "0", "root"}


@pytest.mark.parametrize("node", NODES)
def test_a_node_of_compose_has_what_it_needs(node: str) -> None:
    told = NODES[node]
    assert told["user"] == last(STEPS, "USER")
    assert seconds(told["stop_grace_period"]) > LEAVES_WITHIN_S
    assert told["depends_on"]["database"] == {"condition": "service_healthy"}
    assert "/tmp" in told["tmpfs"]  # noqa: S108 - in the container
    for volume in told["volumes"]:
        if isinstance(volume, str):
            source, _, options = volume.split(":")
            assert (REPOSITORY / source).is_dir(), source
            assert options == "ro"


def test_compose_has_one_site_that_this_machine_reaches_and_nodes_to_scale() -> None:
    (site,) = [name for name, told in NODES.items() if "ports" in told]
    assert NODES[site]["ports"] == ["127.0.0.1:8000:8000"]
    assert last(STEPS, "EXPOSE") == "8000"
    assert "deploy" not in NODES[site]
    assert [told["deploy"]["replicas"] > 1 for name, told in NODES.items() if name != site] == [True]


def test_compose_publishes_to_this_machine_only_and_keeps_passwords_in_files() -> None:
    services = COMPOSE["services"].values()
    assert all(port.startswith("127.0.0.1:") for told in services for port in told.get("ports", []))
    variables = {name for told in services for name in told.get("environment", {})}
    assert [name for name in variables if "PASSWORD" in name] == ["POSTGRES_PASSWORD_FILE"]
    (secret,) = COMPOSE["secrets"].values()
    asked = subprocess.run(["git", "check-ignore", "--quiet", secret["file"]], cwd=REPOSITORY, check=False)
    assert asked.returncode == 0, "git would take the password in"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_pod_is_confined(name: str) -> None:
    every, one = pod(name)["securityContext"], container(name)["securityContext"]
    assert every["runAsNonRoot"] is True
    assert every["runAsUser"] == every["runAsGroup"] == every["fsGroup"] == OUR_USER
    assert every["seccompProfile"] == {"type": "RuntimeDefault"}
    assert one == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(name)["automountServiceAccountToken"] is False
    assert {"name": "scratch", "mountPath": "/tmp"} in container(name)["volumeMounts"]  # noqa: S108 - in the container


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_asked_how_it_is_and_given_the_time_to_leave(name: str) -> None:
    one = container(name)
    probes = {probe: one[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {place["path"] for place in probes.values()} <= PROBES
    assert probes["livenessProbe"]["path"] == "/healthz"
    assert probes["readinessProbe"]["path"] == "/readyz"
    ports = {port["name"]: port["containerPort"] for port in one["ports"]}
    assert {ports[place["port"]] for place in probes.values()} == {int(last(STEPS, "EXPOSE"))}
    pause = int(
        one.get("lifecycle", {"preStop": {"exec": {"command": ["sleep", "0"]}}})["preStop"]["exec"]["command"][1]
    )
    assert pod(name)["terminationGracePeriodSeconds"] > pause + LEAVES_WITHIN_S


def test_the_one_service_leads_to_the_pods_that_serve_the_site() -> None:
    (service,) = [one for one in MANIFESTS if one["kind"] == "Service"]
    led_to = [
        name
        for name, one in DEPLOYMENTS.items()
        if service["spec"]["selector"].items() <= one["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert [roles_of(container(name)["args"]) & {"web"} for name in led_to] == [{"web"}]
    assert service["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container(led_to[0])["ports"]}


def test_each_deployment_has_a_disruption_budget_and_the_image_of_this_version() -> None:
    budgets = [one["spec"]["selector"]["matchLabels"] for one in MANIFESTS if one["kind"] == "PodDisruptionBudget"]
    assert budgets == [one["spec"]["selector"]["matchLabels"] for one in DEPLOYMENTS.values()]
    assert all(container(name)["image"].endswith(f"/news-alert:{__version__}") for name in DEPLOYMENTS)


def test_the_unit_lets_the_main_process_end_its_senders() -> None:
    assert setting("KillMode") == ["mixed"]
    assert int(setting("TimeoutStopSec")[0]) > LEAVES_WITHIN_S
    assert setting("OOMPolicy") == ["continue"]
    assert setting("ExecReload") == ["/bin/kill -HUP $MAINPID"]


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_systemd_understands_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    installed = Path(sys.executable).parent / "alerts"
    here.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/news-alert/bin/alerts", str(installed)))
    verified = systemd_analyze("verify", str(here))
    assert (verified.returncode, verified.stderr) == (0, "")
    if int(systemd_analyze("--version").stdout.split()[1]) < 250:
        return  # it cannot judge a file yet
    judged = systemd_analyze(
        "security", "--offline=true", "--threshold=20", str(here)
    )  # of 100; 14 when it was written
    assert judged.returncode == 0, judged.stdout[-3000:]


# That it fits the product.


def roles_of(command: Sequence[str]) -> set[str]:
    return set(command[command.index("--role") + 1].split(",")) if "--role" in command else ROLES


def said_without_a_config(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Start a command where there is no config: a right one has nothing else to complain of."""
    assert main([*arguments, "--config", "/nowhere/config.yaml"]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("place", COMMANDS)
def test_every_command_is_one_of_the_product(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = COMMANDS[place]
    assert program == "alerts"
    assert "there is no such file" in said_without_a_config(arguments, capsys)


@pytest.mark.parametrize("wrong", [["run", "--role", "sned"], ["run", "--sender", "1"], ["rum"]])
def test_a_command_that_is_none_is_noticed(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no such file" not in said_without_a_config(wrong, capsys)


@pytest.mark.parametrize("kind", ["compose", "kubernetes"])
def test_the_nodes_together_have_every_role(kind: str) -> None:
    assert set().union(*(roles_of(words) for place, words in COMMANDS.items() if place.startswith(kind))) == ROLES


def test_systemd_does_not_try_again_with_a_wrong_config(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("chanels: []\n")
    assert setting("RestartPreventExitStatus") == [str(main(["run", "--config", str(tmp_path / "config.yaml")]))]


def checked(text: str, secrets: Mapping[str, str], folder: Path) -> int:
    """Check a config with its secrets where they are mounted, here a folder."""
    for place in secrets.values():
        here = folder / place.lstrip("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_text("correct horse battery staple\n")
        text = text.replace(place, str(here))
    (folder / "config.yaml").write_text(text)
    return main(["config", "check", "--config", str(folder / "config.yaml")])


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ALERTS_")]:
        monkeypatch.delenv(name)


def test_the_config_of_compose_is_right_and_names_what_is_there(tmp_path: Path) -> None:
    text = (DEPLOY / "compose" / "config" / "config.yaml").read_text(encoding="utf-8")
    config = YAML(typ="safe").load(text)
    secrets = {name: f"/run/secrets/{name}" for name in COMPOSE["secrets"]}
    assert checked(text, secrets, tmp_path) == 0
    assert config["database_password_file"] in secrets.values()
    services, database = COMPOSE["services"], COMPOSE["services"]["database"]["environment"]
    assert config["database"] == f"postgresql://{database['POSTGRES_USER']}@database/{database['POSTGRES_DB']}"
    assert re.findall(r"smtp://(\w+):", text) == [name for name in services if name == "catcher"]
    for told in NODES.values():
        mounted = [volume.split(":")[1] for volume in told["volumes"] if isinstance(volume, str)]
        assert mounted == [
            Path(told["environment"]["ALERTS_CONFIG"]).parent.as_posix(),
            config["sources"][0]["folder"],
        ]


def test_the_config_of_kubernetes_is_right_and_names_what_is_mounted(tmp_path: Path) -> None:
    (given,) = [one for one in MANIFESTS if one["kind"] == "ConfigMap"]
    ((name, text),) = given["data"].items()
    secrets = {place: place for place in re.findall(r"password_file: (\S+)", text)}
    assert len(secrets) == 2
    assert checked(text, secrets, tmp_path) == 0
    for deployment in DEPLOYMENTS:
        mounted = {mount["name"]: mount["mountPath"] for mount in container(deployment)["volumeMounts"]}
        assert {Path(place).parent.as_posix() for place in secrets} == {mounted["secrets"]}
        (variable,) = container(deployment)["env"]
        assert variable == {"name": "ALERTS_CONFIG", "value": f"{mounted['config']}/{name}"}
        volumes = {volume["name"]: volume for volume in pod(deployment)["volumes"]}
        assert volumes["config"]["configMap"]["name"] == given["metadata"]["name"]
        assert set(volumes) == set(mounted)


def test_the_manual_names_every_secret_that_the_pods_read() -> None:
    page = (REPOSITORY / "docs" / "deploying.md").read_text(encoding="utf-8")
    (given,) = [one for one in MANIFESTS if one["kind"] == "ConfigMap"]
    names = [Path(place).name for place in re.findall(r"password_file: (\S+)", given["data"]["config.yaml"])]
    assert [name for name in names if f"--from-file={name}=" not in page] == []
    assert [place for place in re.findall(r"\]\(([^)#:]+)\)", page) if not (REPOSITORY / "docs" / place).exists()] == []


def seconds(length: str) -> int:
    return int(length.removesuffix("s"))
