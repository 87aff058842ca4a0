"""Whether a new project works: its own tests run in its own environment, without a network and without keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sentient_cli.scaffold.environment import Environment
from sentient_cli.scaffold.work import Workshop
from sentient_cli.secret_names import is_secret_name

__all__ = ["verify"]

_FIX = "Report it: a new project should work; or leave this step out with `--no-install`"
_ASK = """
import sys
from pathlib import Path
from sentient_cli.config import load
from sentient_cli.runtime.loader import load_agent
from sentient_cli.testing import run_agent_sync
settings = load(project=Path.cwd(), use_env_file=False, environment={}).settings
run = run_agent_sync(load_agent(settings.agent, project_dir=Path.cwd()).agent, "Hello")
sys.exit(0 if run.outcome == "done" else f"the agent ended with {run.outcome}")
"""


def verify(work: Workshop, environment: Environment) -> Literal["tests", "agent"]:
    """Run the project's tests; where there is no pytest, ask its agent something.

    Args:
        work: Where the project is made.
        environment: What runs them.

    Returns:
        What was run.

    Raises:
        SetupFailedError: they fail.
    """
    python, alone = environment.python, _alone(work.environment)
    has_tests = (work.project / "tests").is_dir()
    if has_tests and work.run(python, "-c", "import pytest", environment=alone).ok:
        ended = work.run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", environment=alone)
        if not ended.ok:
            raise work.failure("The new project's tests fail", ended, fix=_FIX)
        return "tests"
    ended = work.run(python, "-c", _ASK, environment=alone)
    if not ended.ok:
        raise work.failure("The new project's agent does not answer", ended, fix=_FIX)
    return "agent"


def _alone(own: Mapping[str, str]) -> dict[str, str]:
    """An environment without keys, in which no web client gets out: the discard port answers nobody."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    kept = {
        name: value
        for name, value in own.items()
        if not is_secret_name(name) and name.upper() not in nowhere and not name.startswith(("SENTIENT_", "PYTEST_"))
    }
    return {**kept, **nowhere, "NO_PROXY": "localhost,127.0.0.1,::1", "PYTHONDONTWRITEBYTECODE": "1"}
