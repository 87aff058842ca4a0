"""Who may come to ``dev``, and what it writes down: with real processes, over real sockets."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.dev.developing import AGENT, Developing, body, developing, wait_until
from tests.support.wire import PATIENCE

_FRONT = "http://localhost:3000"
_EVERY_DOOR = ("/health", "/", "/_sentient/state")
"""Of the agent, of the page, and of the inspection: each is answered by somebody else."""


def _ask(dev: Developing, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{dev.url}/assist", json=body(""), headers=given, timeout=PATIENCE)


def _get(dev: Developing, path: str, **headers: str) -> httpx.Response:
    return httpx.get(dev.url + path, headers={"authorization": f"Bearer {dev.token}", **headers}, timeout=PATIENCE)


@pytest.mark.story("20.5")
def test_another_name_of_this_server_is_accepted_when_it_is_allowed(tmp_path: Path) -> None:
    with developing(tmp_path / "project", "--allow-host", "agent.example") as dev:
        for path in _EVERY_DOOR:
            assert _get(dev, path, host="agent.example").status_code == 200, path
            assert _get(dev, path, host="AGENT.example:8000").status_code == 200, path
            refused = _get(dev, path, host="evil.example")
            assert (refused.status_code, refused.json()["code"]) == (403, "host-not-allowed"), path
        assert _ask(dev, host="agent.example").status_code == 200
        assert _ask(dev, host="evil.example").status_code == 403
        dev.save("two")
        assert "two" in _ask(dev, host="agent.example").text
        assert _ask(dev, host="evil.example").status_code == 403, "no save opens a door"
    with developing(tmp_path / "project") as dev:
        assert _ask(dev, host="agent.example").status_code == 403


@pytest.mark.story("20.5")
def test_a_front_end_on_another_port_may_call_when_it_is_allowed(tmp_path: Path) -> None:
    with developing(tmp_path / "project", "--allow-origin", _FRONT) as dev:
        asked = httpx.options(
            f"{dev.url}/assist",
            headers={
                "origin": _FRONT,
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type",
            },
            timeout=PATIENCE,
        )
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == _FRONT
        assert "content-type" in asked.headers["access-control-allow-headers"].lower()
        answer = _ask(dev, origin=_FRONT, sec_fetch_site="same-site")
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == _FRONT
        for path in _EVERY_DOOR:
            assert _get(dev, path, origin=_FRONT).headers["access-control-allow-origin"] == _FRONT, path
        for stranger in ("https://evil.example", "http://localhost:3001", "null"):
            refused = _ask(dev, origin=stranger)
            assert (refused.status_code, refused.json()["code"]) == (403, "origin-not-allowed"), stranger
            assert "access-control-allow-origin" not in refused.headers
        dev.wait("broken", since=dev.write("agent.py", "x = (\n"))
        broken = _ask(dev, origin=_FRONT)
        exposed = broken.headers["access-control-expose-headers"].lower()
        assert "sentient-reload-error" in exposed, "the front end can read it"


@pytest.mark.story("20.5", "18.6")
def test_answers_say_that_newer_code_is_broken_until_it_is_mended(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        assert "sentient-reload-error" not in _ask(dev).headers
        for version, text in (("two", "x = (\n"), ("three", "raise ValueError('a secret of the code')\n")):
            broken = dev.wait("broken", since=dev.write("agent.py", text))
            for answer in (_ask(dev), dev.get("/health"), dev.get("/")):
                assert answer.headers.get_list("sentient-reload-error") == [f"generation={broken['generation']}"]
                assert "ValueError" not in answer.text
            assert dev.save(version)["mended"]
            answer = _ask(dev)
            assert version in answer.text
            assert "sentient-reload-error" not in answer.headers


_TALKATIVE = """
import os

from sentient_cli import agent


@agent
async def talkative(session, query, response):
    await response.text_block("SAID", os.environ["MY_SERVICE_TOKEN"] + " " + query.prompt + "." * SIZE)
"""
_SECRET = "swordfish-0123456789-abcdef"


def _project(place: Path, settings: str, size: int) -> Path:
    place.mkdir()
    (place / "sentient.toml").write_text(f"[dev]\n{settings}\n")
    (place / ".env").write_text(f"MY_SERVICE_TOKEN={_SECRET}\n")
    (place / "agent.py").write_text(_TALKATIVE.replace("SIZE", str(size)))
    return place


def _recorded(project: Path) -> list[Path]:
    return sorted(path for path in (project / ".sentient" / "runs").rglob("*") if path.is_file())


@pytest.mark.story("20.5", "E18.2")
def test_runs_are_recorded_in_the_project_without_secrets(tmp_path: Path) -> None:
    project = _project(tmp_path / "project", "", 1)
    with developing(project) as dev:
        answer = _ask(dev)
        assert _SECRET in answer.text, "the client gets what the agent says"
        httpx.post(f"{dev.url}/assist", json=body(f"is {_SECRET} right"), timeout=PATIENCE)
        wait_until(lambda: len(dev.get("/_sentient/runs", token=True).json()) == 2, "both are listed")
        run = dev.get("/_sentient/runs", token=True).json()[0]["run"]
        wait_until(lambda: "atomic.done" in dev.get(f"/runs/{run}/events").text, "it is written")
        assert _SECRET not in dev.get("/_sentient/runs", token=True).text
    written = {path.name: path.read_bytes() for path in _recorded(project)}
    assert written[".gitignore"] == b"*\n"
    assert any(b"[redacted]" in data for data in written.values())
    assert not [name for name, data in written.items() if _SECRET.encode() in data]
    assert (project / ".sentient" / "runs").stat().st_mode & 0o077 == 0, "nobody else can read them"


@pytest.mark.slow
@pytest.mark.story("20.5")
@pytest.mark.parametrize(
    ("settings", "size", "most_runs", "most_bytes"),
    [("keep_runs = 3", 1, 3 + 32, 1 << 20), ("keep_bytes = 400_000", 20_000, 80, 500_000)],
)
def test_recordings_are_bounded(tmp_path: Path, settings: str, size: int, most_runs: int, most_bytes: int) -> None:
    project = _project(tmp_path / "project", settings, size)
    with developing(project) as dev:
        last = ""
        for number in range(80):
            last = _ask(dev).headers["sentient-run-id"]
            assert last, number

        def is_bounded() -> bool:
            named = re.compile(r"[0-9a-f]{32}-\d+")
            sizes = [path.stat().st_size for path in _recorded(project) if named.search(str(path))]
            return len(sizes) <= most_runs and sum(sizes) <= most_bytes

        wait_until(is_bounded, "the oldest are forgotten")
        wait_until(lambda: dev.get(f"/runs/{last}").json().get("outcome") == "done", "the newest is kept")
    assert is_bounded()


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_an_agent_that_was_named_goes_is_renamed_and_becomes_a_directory(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    file, other = project / "helper.py", project / "renamed.py"
    file.write_text(AGENT.format(version="one"))
    with developing(project, "--agent", "helper.py", version=None) as dev:
        for change in (file.unlink, lambda: dev.write("helper.py/part.py", "")):
            mark = dev.mark()
            change()
            broken = dev.wait("broken", since=mark)
            problem = broken["problem"]
            assert isinstance(problem, dict)
            assert "helper.py" in f"{problem['what']} {problem['why']}"
            assert problem["fix"]
            answer = _ask(dev)
            assert "one" in answer.text
            assert answer.headers["sentient-reload-error"] == f"generation={broken['generation']}"
        shutil.rmtree(file)
        mark = dev.write("helper.py", AGENT.format(version="two"))
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "two"
        mark = dev.mark()
        file.rename(other)
        problem = dev.wait("broken", since=mark)["problem"]
        assert isinstance(problem, dict)
        assert "renamed.py" in f"{problem['what']} {problem['why']} {problem['fix']}", "what was meant is told"
        assert dev.ask() == "two"
        mark = dev.mark()
        other.rename(file)
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "two"
        assert "sentient-reload-error" not in _ask(dev).headers


@pytest.mark.slow
@pytest.mark.story("20.5")
@pytest.mark.parametrize("place", ["project", "elsewhere"])
def test_an_empty_directory_in_the_place_of_the_agent_is_no_end(tmp_path: Path, place: str) -> None:
    (tmp_path / "project").mkdir()
    file = tmp_path / place / "agent.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(AGENT.format(version="one"))
    with developing(tmp_path / "project", "--agent", file, version=None) as dev:
        for version in ("two", "three"):
            file.unlink()
            file.mkdir()
            assert _ask(dev).status_code == 200
            file.rmdir()
            file.write_text(AGENT.format(version=version))
            wait_until(lambda: dev.ask() == version, "what came back answers")  # noqa: B023 - before the next turn
        wait_until(lambda: dev.state()["status"] == "ready", "and is whole")
