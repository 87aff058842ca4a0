"""What protects those who install this: no secret leaves with it, and what it consists of is written down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from string import ascii_letters, digits
from typing import cast

import jsonschema_rs
import pytest
from cyclonedx.schema import SchemaVersion, _res  # its own door to the schemas needs a second validator

from tests.plugins.isolation import REPOSITORY
from tests.tools import sbom, secret_scan


def _tool(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"tests.tools.{name}", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def _fake_key(seed: int) -> str:
    """A key as a provider makes them; made here, so that no file of this repository holds one."""
    letters = "".join(Random(seed).choices(ascii_letters + digits, k=36))
    return "gh" + "p_" + letters


@pytest.mark.slow
def test_the_checks_look_for_vulnerabilities_faults_and_secrets() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "checks", "sbom"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for tool in (
        "ruff check",
        "basedpyright",
        "mypy",
        "tests.tools.audit",
        "tests.tools.secret_scan",
        "tests.tools.sbom",
    ):
        assert tool in done.stdout


@pytest.mark.slow
def test_a_key_is_found_in_a_tracked_file_and_in_the_history(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        names = ["-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    removed, there, untracked = map(_fake_key, (7, 8, 9))
    git("init", "--quiet")
    (tmp_path / "removed.py").write_text(f'GITHUB_TOKEN = "{removed}"\n')
    git("add", ".")
    git("commit", "--quiet", "--message", "a mistake")
    git("rm", "--quiet", "removed.py")
    git("commit", "--quiet", "--message", "taken out, too late")
    (tmp_path / "there.py").write_text("\n")
    git("add", ".")
    (tmp_path / "there.py").write_text(f'\nGITHUB_TOKEN = "{there}"\n')
    (tmp_path / "untracked.py").write_text(f'GITHUB_TOKEN = "{untracked}"\n')

    found = secret_scan.scan_repository(tmp_path)
    assert {secret.digest for secret in found} == {secret_scan.digest(removed), secret_scan.digest(there)}
    said = secret_scan.judge(found, set())
    assert [line.partition(": ")[0] for line in said] == ["removed.py:1", "there.py:2"]
    assert "ghp_" not in "".join(said)
    assert secret_scan.judge(found, {secret.digest for secret in found}) == []


def test_without_git_it_is_said_that_no_secret_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert secret_scan.main() == 1
    assert "NOT DONE: git is not installed" in capsys.readouterr().err


def _schema() -> jsonschema_rs.Validator:
    def load(path: object) -> dict[str, object]:
        return cast("dict[str, object]", json.loads(Path(str(path)).read_text("utf-8")))

    schemas = _res.BOM_JSON_STRICT
    schema = load(schemas[SchemaVersion.from_version(sbom.SPECIFICATION)])
    base = str(schema["$id"]).rpartition("/")[0]
    others = [_res.SPDX_JSON, _res.JSF, _res.CRYPTOGRAPHY_DEFS]
    registry = jsonschema_rs.Registry([(f"{base}/{Path(str(path)).name}", load(path)) for path in others])
    return jsonschema_rs.validator_for(schema, registry=registry)


@pytest.mark.slow
def test_the_bill_of_materials_is_valid_and_whole(tmp_path: Path) -> None:
    out = tmp_path / "bill.json"
    done = _tool("sbom", out)
    assert (done.returncode, done.stderr) == (0, "")
    bill = json.loads(out.read_bytes())
    assert [error.message for error in _schema().iter_errors(bill)] == []
    lock = (REPOSITORY / ".ci" / "lock" / "runtime.txt").read_text("utf-8")
    assert out.read_text("utf-8") == sbom.bill(lock)
    assert len(bill["components"]) == lock.count("==") - lock.count(" == ") > 20
    assert all(component["hashes"] for component in bill["components"])
    root, *_ = bill["dependencies"]
    assert root["ref"].startswith("pkg:pypi/sentient-agent-cli@")
    assert [ref for ref in root["dependsOn"] if ref.startswith("pkg:pypi/httpx@")]
    assert str(REPOSITORY) not in out.read_text("utf-8")


def test_a_bill_that_is_wrong_is_refused() -> None:
    assert not _schema().is_valid({"bomFormat": "CycloneDX", "specVersion": sbom.SPECIFICATION, "components": [{}]})
