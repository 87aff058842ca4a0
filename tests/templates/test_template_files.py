"""What is no Python: settings, workflows, images and manifests, parsed and linted by the tools of their trade."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from xml.etree import ElementTree as ET

import pytest
import yaml

from sentient_cli.cli.dev import DEBUGPY_PORT
from sentient_cli.config import load
from sentient_cli.llm.offline import load_script
from tests.support import commands
from tests.templates.projects import check, tree

_PINNED = re.compile(r"(\./[\w./-]+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)")


@pytest.fixture
def production(projects: Mapping[str, Path]) -> Path:
    return projects["production"]


def _yaml(file: Path) -> dict[str, object]:
    return cast("dict[str, object]", yaml.safe_load(file.read_text("utf-8")))


def test_every_file_can_be_parsed(project: Path) -> None:
    for name in tree(project):
        file = project / name
        if file.suffix == ".json":
            json.loads(file.read_text("utf-8"))
        elif file.suffix in {".yml", ".yaml"}:
            assert _yaml(file)
        elif file.suffix == ".toml":
            tomllib.loads(file.read_text("utf-8"))
        elif file.suffix == ".xml":
            ET.parse(file)  # noqa: S314 - our own file


def test_the_settings_and_the_script_are_valid(project: Path) -> None:
    settings = load(project=project, environment={}).settings
    assert settings.llm.model == "offline"
    assert load_script(project / "answers.toml").rule


@pytest.mark.slow
@pytest.mark.story("20.3")
def test_editors_start_what_there_is(projects: Mapping[str, Path]) -> None:
    """Of one project: they are the same in each."""
    project = projects["basic"]
    launch = json.loads((project / ".vscode/launch.json").read_text("utf-8"))["configurations"]
    started = [each["args"] for each in launch if each.get("module") == "sentient_cli"]
    for file in (project / ".run").iterdir():
        options = {
            option.get("name"): option.get("value", "")
            for option in ET.parse(file).iter("option")  # noqa: S314 - our own file
        }
        if options.get("SCRIPT_NAME") == "sentient_cli":
            started.append(options["PARAMETERS"].split())
    assert [line[0] for line in started].count("dev") == 3
    for arguments in started:
        assert commands.run_text(*arguments, "--help").returncode == 0, arguments
    (attached,) = [each for each in launch if each["request"] == "attach"]
    assert attached["connect"] == {"host": "127.0.0.1", "port": DEBUGPY_PORT}
    assert attached["restart"] is True


def test_git_ignores_what_dev_records(project: Path) -> None:
    assert ".sentient/runs/" in (project / ".gitignore").read_text("utf-8").splitlines()


@pytest.mark.slow
@pytest.mark.story("16.6")
def test_workflows_are_sound(project: Path) -> None:
    check(project, "zizmor", "--offline", "--no-progress", "--no-config", "--min-severity", "medium", ".")
    for file in (project / ".github" / "workflows").iterdir():
        workflow = _yaml(file)
        assert workflow["permissions"] == {"contents": "read"}, file.name
        used: list[str] = re.findall(r"uses: (.+)", file.read_text("utf-8"))
        assert [action for action in used if not _PINNED.fullmatch(action)] == []
        jobs = cast("dict[str, dict[str, object]]", workflow["jobs"])
        assert [name for name, job in jobs.items() if "uses" not in job and "timeout-minutes" not in job] == []


@pytest.mark.story("16.6", "20.2")
def test_the_image_is_sound(production: Path) -> None:
    check(production, "hadolint", "--failure-threshold", "style", "Dockerfile")
    text = (production / "Dockerfile").read_text("utf-8")
    lines = text.replace("\\\n", " ").splitlines()
    assert all("@" in line or ":" in line for line in lines if line.startswith("FROM "))
    last = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert [line for line in last if line.startswith("USER ")] == ["USER 10001:10001"]
    for word in ("HEALTHCHECK", "CMD"):
        (line,) = [line for line in last if line.startswith(f"{word} ")]
        assert json.loads(line[line.index("[") :])
    assert "--locked" in text
    assert not re.search(r"\b(ADD|curl|wget|latest|sudo)\b", text)


@pytest.mark.slow
@pytest.mark.story("16.6", "20.2")
def test_the_manifests_fit_the_schemas(production: Path) -> None:
    folder = production / "deploy" / "kubernetes"
    files = sorted(file.name for file in folder.glob("*.yaml") if file.name != "kustomization.yaml")
    for version in ("1.32", "1.36"):
        said = check(folder, "kubernetes-validate", "--strict", "--kubernetes-version", version, *files)
        assert said.count(" passed ") == len(files)
    assert sorted(cast("list[str]", _yaml(folder / "kustomization.yaml")["resources"])) == files
    if shutil.which("kubectl"):
        assert check(folder, "kubectl", "kustomize", ".").count("kind: ") >= len(files)


def _dig(value: object, *path: str) -> object:
    for name in path:
        value = cast("dict[str, object]", value)[name]
    return value


def test_the_pod_is_confined(production: Path) -> None:
    pod = _dig(_yaml(production / "deploy/kubernetes/deployment.yaml"), "spec", "template", "spec")
    (container,) = cast("list[object]", _dig(pod, "containers"))
    assert _dig(pod, "automountServiceAccountToken") is False
    assert _dig(pod, "enableServiceLinks") is False
    assert _dig(pod, "securityContext", "runAsNonRoot") is True
    assert _dig(pod, "securityContext", "seccompProfile", "type") == "RuntimeDefault"
    assert _dig(container, "securityContext") == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    for probe in ("startup", "readiness", "liveness"):
        assert str(_dig(container, f"{probe}Probe", "httpGet", "path")).startswith("/health/")
    assert _dig(container, "resources", "limits", "memory")
    assert _dig(container, "resources", "requests", "cpu")


def test_every_manifest_is_about_the_same_pods(production: Path) -> None:
    label = {"app.kubernetes.io/name": "my-agent"}
    folder = production / "deploy" / "kubernetes"
    for file, path in (
        ("deployment", ("spec", "selector", "matchLabels")),
        ("deployment", ("spec", "template", "metadata", "labels")),
        ("service", ("spec", "selector")),
        ("disruption", ("spec", "selector", "matchLabels")),
        ("network", ("spec", "podSelector", "matchLabels")),
    ):
        assert _dig(_yaml(folder / f"{file}.yaml"), *path) == label, file
    assert _dig(_yaml(folder / "autoscaler.yaml"), "spec", "scaleTargetRef", "name") == "my-agent"


def test_a_reader_of_the_longest_answer_is_not_cut_off(production: Path) -> None:
    server = load(project=production, profile="production", environment={}).settings.server
    pod = _dig(_yaml(production / "deploy/kubernetes/deployment.yaml"), "spec", "template", "spec")
    assert server.run_timeout <= server.drain_timeout
    grace = float(str(_dig(pod, "terminationGracePeriodSeconds")))
    assert grace > server.drain_delay + server.drain_timeout + 20
    assert "SENTIENT_PROFILE=production" in (production / "Dockerfile").read_text("utf-8")
