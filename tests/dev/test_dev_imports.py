"""What may stand where ``sentient dev`` looks for code: archives, packages that block, names that are no text."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import cast

import pytest

from tests.dev.developing import AGENT, children, developing, wait_until


@pytest.mark.story("20.5")
def test_code_is_imported_from_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "shared.zip"
    with zipfile.ZipFile(archive, "w") as shared:
        shared.writestr("zipped.py", "NAME = 'from the archive'\n")
    with developing(
        tmp_path / "project",
        agent="import zipped\n" + AGENT.replace("VERSION + ", "zipped.NAME + "),
        env={"PYTHONPATH": str(archive)},
    ) as dev:
        assert dev.ask() == "from the archive"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems refuse such names")
@pytest.mark.story("20.5")
def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"caf\xe9")
    with developing(project) as dev:
        assert dev.ask() == "one"
        dev.write("helper.py", "NAME = 'first'\n")
        mark = dev.write("agent.py", "import helper\n" + AGENT.replace("VERSION + ", "helper.NAME + "))
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "first"
        mark = dev.write("helper.py", "NAME = (\n")
        problem = cast("dict[str, object]", dev.wait("broken", since=mark)["problem"])
        assert str(problem["file"]).endswith("caf\ufffd/helper.py")
        state = dev.state()
        assert state["project"] == "caf\ufffd"
        assert cast("dict[str, object]", state["error"])["file"] == problem["file"]
        mark = dev.write("helper.py", "NAME = 'second'\n")
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "second"


def _packages(tmp_path: Path, **sources: str) -> dict[str, str]:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    for name, source in sources.items():
        (packages / f"{name}.py").write_text(source)
    return {"PYTHONPATH": str(packages)}


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_package_that_blocks_when_it_is_imported_blocks_only_code_that_imports_it(tmp_path: Path) -> None:
    started = tmp_path / "started"
    blocks = f"import os, time\nopen({str(started)!r}, 'a').write(f'{{os.getpid()}} ')\ntime.sleep(600)\n"
    environment = _packages(tmp_path, blocks=blocks, calm="import os\nPROCESS = os.getpid()\n")
    with developing(
        tmp_path / "project", agent="import blocks\n" + AGENT.format(version="one"), ready=False, env=environment
    ) as dev:
        wait_until(started.exists, "the process that forks imports it")
        first = int(started.read_text())
        text = "import calm\n" + AGENT.replace("VERSION + ", "str(calm.PROCESS) + ")
        dev.write("agent.py", text)
        dev.wait_ready()
        assert int(dev.ask()) not in dev.workers(), "the others are imported in advance as before"
        wait_until(lambda: first not in children(dev.process.pid), "that process is gone")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_package_that_ends_the_process_that_imports_it_first_is_left_to_the_code(tmp_path: Path) -> None:
    once = tmp_path / "once"
    ends = f"import os\nif not os.path.exists({str(once)!r}):\n    open({str(once)!r}, 'w').close()\n    os._exit(3)\n"
    with developing(
        tmp_path / "project", agent="import ends\n" + AGENT.format(version="one"), env=_packages(tmp_path, ends=ends)
    ) as dev:
        assert dev.ask() == "one"


@pytest.mark.story("20.5")
@pytest.mark.slow
def test_more_packages_that_start_threads_than_one_would_leave_out_one_by_one(tmp_path: Path) -> None:
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"
    names = [f"restless_{number}" for number in range(6)]
    with developing(
        tmp_path / "project",
        agent=f"import {', '.join(names)}\n" + AGENT.format(version="one"),
        env=_packages(tmp_path, **dict.fromkeys(names, thread)),
    ) as dev:
        assert dev.ask() == "one"


_HANGS = "import time\ntime.sleep(600)\n"


@pytest.mark.story("20.5")
@pytest.mark.slow
def test_the_last_of_many_saves_is_loaded_though_the_one_before_hangs(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        for number in range(5):  # as many as are given up one for another
            dev.write("agent.py", f"open('begun-{number}', 'w').close()\n{_HANGS}")
            wait_until((dev.project / f"begun-{number}").exists, "it hangs")
        dev.write("agent.py", AGENT.format(version="two"))
        assert "agent.py" in json.dumps(dev.wait("reloaded")["changed"])
        wait_until(lambda: dev.ask() == "two", "what was saved last")
        wait_until(lambda: len(dev.workers()) == 1, "who hung is gone")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_what_a_save_had_that_was_given_up_is_told_with_the_next_one(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        dev.wait("reloading", since=dev.write("agent.py", _HANGS))
        mark = dev.write("other.py", "")
        event = dev.wait("reloading", since=mark)
        assert event["changed"] == ["agent.py", "other.py"]
        mark = dev.write("agent.py", AGENT.format(version="two"))
        event = dev.wait("reloaded", since=mark)
        assert event["changed"] == ["agent.py", "other.py"]
