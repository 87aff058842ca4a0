"""The image of the production project, built and run for real where this machine has what builds images."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from tests.support.wire import PATIENCE

_BUILDERS = ("docker", "podman")
_MINUTES = 60.0
# What is built is this checkout: its wheel takes the place of the released one, and the lock is made for it in the same
# image, whose Python may be another than that of the tests.
_LOCK = """
FROM {uv} AS uv
FROM {python} AS lock
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml ./
COPY wheels wheels
RUN uv lock
FROM scratch
COPY --from=lock /app/uv.lock /
"""
_ASK = """
import json, os, urllib.request
body = {"query": {"id": "01J00000000000000000000000", "prompt": "How many miles are 10 kilometres?"}}
head = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["SENTIENT_SERVER_TOKEN"]}
request = urllib.request.Request("http://127.0.0.1:8000/assist", json.dumps(body).encode(), head)
print(os.getuid(), urllib.request.urlopen(request, timeout=30).read().decode())
"""


class _Builder:
    """Docker, or what is called like it."""

    def __init__(self, program: str) -> None:
        self._program = program

    def run(self, *arguments: str, directory: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run it, however that ends."""
        command = [self._program, *arguments]
        return subprocess.run(
            command, cwd=directory, capture_output=True, text=True, check=False, timeout=15 * _MINUTES
        )

    def must(self, *arguments: str, directory: Path | None = None) -> str:
        """Run it; it has to succeed."""
        done = self.run(*arguments, directory=directory)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()


def _bases(project: Path) -> list[str]:
    """The images that the project's own is made from, in their order."""
    return re.findall(r"^FROM (\S+)", (project / "Dockerfile").read_text("utf-8"), re.MULTILINE)


@pytest.fixture
def builder(projects: Mapping[str, Path]) -> _Builder:
    """What builds images here. It is its own network that it uses, and not that of the tests, which leads nowhere."""
    found = [_Builder(name) for name in _BUILDERS if shutil.which(name)]
    working = [one for one in found if one.run("info").returncode == 0]
    if not working:
        there = "none that works" if found else "none"
        pytest.skip(f"an image is built by {' or '.join(_BUILDERS)}, of which this machine has {there}")
    for base in dict.fromkeys(_bases(projects["production"])):
        pulled = working[0].run("pull", base)
        if pulled.returncode != 0:
            pytest.skip(f"the base {base} cannot be had: {pulled.stderr.strip()[-200:]}")
    return working[0]


@pytest.fixture
def project(projects: Mapping[str, Path], wheelhouse: Path, builder: _Builder, tmp_path: Path) -> Path:
    """The production project with a lock that names the wheel of this checkout."""
    folder = tmp_path / "production"
    shutil.copytree(projects["production"], folder)
    (wheel,) = wheelhouse.glob("sentient_agent_cli-*.whl")
    (folder / "wheels").mkdir()
    shutil.copy(wheel, folder / "wheels")
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[tool.uv]\nfind-links = ["wheels"]\n')
    uv, python = _bases(folder)[:2]
    (folder / "Dockerfile.lock").write_text(_LOCK.format(uv=uv, python=python), "utf-8")
    ignored = (folder / ".dockerignore").read_text("utf-8")
    (folder / ".dockerignore").write_text(f"{ignored}!wheels\n", "utf-8")
    builder.must("build", "--file", "Dockerfile.lock", "--output", "type=local,dest=.", ".", directory=folder)
    text = (folder / "Dockerfile").read_text("utf-8")
    copy = "COPY pyproject.toml uv.lock* ./\n"
    assert copy in text
    (folder / "Dockerfile").write_text(text.replace(copy, f"{copy}COPY wheels wheels\n"), "utf-8")
    return folder


@pytest.fixture
def container(project: Path, builder: _Builder) -> Generator[str]:
    """A container of its image that runs as its CI runs it: read-only, without a right, on the offline model."""
    name = f"sentient-test-{uuid.uuid4().hex[:12]}"
    builder.must("build", "--tag", name, ".", directory=project)
    confined = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    variables = ["--env", "SENTIENT_SERVER_TOKEN=only-for-this-test", "--env", "SENTIENT_LLM_MODEL=offline"]
    try:
        builder.must("run", "--detach", "--name", name, *confined, *variables, name)
        yield name
    finally:
        builder.run("rm", "--force", name)
        builder.run("rmi", "--force", name)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_image_is_built_serves_is_healthy_and_leaves_in_order(container: str, builder: _Builder) -> None:
    health = json.loads(builder.must("inspect", "--format", "{{json .Config.Healthcheck.Test}}", container))
    assert health[0] == "CMD"
    healthy = 'until timeout 5 "$@" 2>/dev/null; do sleep 0.2; done'
    inside = ["exec", container, "timeout", str(int(PATIENCE)), "sh", "-c", healthy, "sh", *health[1:]]
    done = builder.run(*inside)
    assert done.returncode == 0, builder.run("logs", container)
    answer = builder.must("exec", container, "python", "-c", _ASK)
    assert answer.startswith("10001 ")
    assert "6.21371 miles" in answer
    builder.must("stop", "--time", "30", container)
    assert builder.must("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
