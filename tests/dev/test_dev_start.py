"""The first moments: nothing is put off that a user would miss."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dev.developing import AGENT, children, developing, wait_until

pytestmark = pytest.mark.measured

_SAVED_AT_START = """\
from pathlib import Path

from sentient_cli import Query, Response, Session, agent

here = Path(__file__).parent
told = (here / "prompt.md").read_text() if (here / "prompt.md").exists() else "nothing"
(here / "prompt.md").write_text("hello")  # a save that comes before anybody watches files


@agent
async def assistant(session: Session, query: Query, response: Response) -> None:
    await response.text_block("ANSWER", told)
"""

_SLOW = """\
import time
from pathlib import Path

while (Path(__file__).parent / "wait").exists():
    time.sleep(0.01)
"""

_PROBE = """\
import json, sys
from sentient_cli.dev.processes.preload import load_base
load_base()
late = ("openai", "sentient_cli.llm.manager", "tomllib", "watchfiles")
print(json.dumps([name for name in late if name in sys.modules]))
"""


@pytest.mark.story("20.5")
def test_a_save_before_the_first_answer_is_not_missed(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_SAVED_AT_START) as dev:
        event = dev.wait("reloaded")
        assert "prompt.md" in str(event["changed"])


@pytest.mark.story("20.5")
def test_a_save_ends_a_first_import_that_goes_on_for_ever(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "wait").touch()
    with developing(project, agent=_SLOW + AGENT.format(version="one"), ready=False) as dev:
        dev.wait("starting")
        wait_until(lambda: len(children(dev.process.pid)) > 1, "the first code is being loaded")
        dev.write("agent.py", AGENT.format(version="two"))
        dev.wait_ready()
        assert dev.ask() == "two"


@pytest.mark.usefixtures("unmeasured")
def test_a_start_imports_nothing_that_only_models_need() -> None:
    done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
