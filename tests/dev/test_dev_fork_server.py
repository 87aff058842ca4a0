"""The process that workers are forked from: it stands still, and packages that change it while it imports them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.dev.developing import AGENT, children, developing, wait_until

pytestmark = pytest.mark.measured


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_fork_server_that_stands_still_is_replaced(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        before = dev.fork_server()
        os.kill(before, signal.SIGSTOP)
        dev.save("two")
        assert dev.ask() == "two"
        wait_until(lambda: not _runs(before), "it is ended")
        assert dev.fork_server() != before


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_packages_that_change_the_process_that_imports_them(tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "deaf.py").write_text("import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n")
    (packages / "copied.py").write_text("import os\nos.fork()\n")
    left = "child = os.fork()\nif not child:\n    while True:\n        time.sleep(600)\n"
    (packages / "leaving.py").write_text(f"import os, time\n{left}open('left', 'a').write(f'{{child}}\\n')\n")
    with developing(
        tmp_path / "project",
        agent="import deaf, copied, leaving\n" + AGENT.format(version="one"),
        env={"PYTHONPATH": str(packages)},
    ) as dev:
        assert dev.ask() == "one"
        mark = dev.write("agent.py", "import deaf, copied, leaving\n" + AGENT.format(version="two"))
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "two"
        wait_until(lambda: len(dev.workers()) == 1, "the code before is gone")
        left_behind = [int(line) for line in (dev.project / "left").read_text().splitlines()]
        # One for each fork server there was: one that stands still on a busy machine is replaced.
        wait_until(
            lambda: children(dev.fork_server()) == [each for each in left_behind if _runs(each)], "no copy is there"
        )
        everybody = [dev.fork_server(), *left_behind]
    wait_until(lambda: not any(map(_runs, everybody)), "nothing outlives it")
