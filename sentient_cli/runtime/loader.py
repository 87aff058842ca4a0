"""Loads an agent: from a file, from a module, or from wherever a project keeps it.

Three kinds of objects are agents: an instance or a class with ``async def assist(self, session, query, response)``, of
whatever base class; what the `agent` decorator makes; a module's own ``async def assist(session, query, response)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from sentient_cli.config.names import readable
from sentient_cli.runtime.agent import AgentLike
from sentient_cli.runtime.loading.choosing import choose, pick
from sentient_cli.runtime.loading.importing import add_to_path, import_target, loading, user_code
from sentient_cli.runtime.loading.making import make_agent
from sentient_cli.runtime.loading.target import Target, discover, parse_target

__all__ = ["LoadedAgent", "add_to_path", "load_agent", "loading", "user_code"]


@dataclass(frozen=True, slots=True)
class LoadedAgent:
    """An agent, and where it comes from.

    Args:
        agent: Ready to answer; not set up yet.
        name: For people.
        source: The file that it was found in; None when its module has none.
        target: How to name it again, as ``module:attr``.
    """

    agent: AgentLike
    name: str
    source: Path | None
    target: str


def load_agent(target: str | None, *, project_dir: Path, base: Path | None = None) -> LoadedAgent:
    """Import an agent's code and make the agent.

    Args:
        target: ``module:attr``, ``module``, ``path/file.py``, ``path/file.py:attr`` or a directory; None: the
            project is searched for agent.py, main.py and app.py, in it, in its ``src``, and in its packages.
        project_dir: The project. It and its ``src`` are put on `sys.path`.
        base: What a relative path is tried against first; the project unless given. The command line passes the
            current directory for what was typed there.

    Raises:
        AgentNotFoundError: there is no such file, module or name, or no agent in it.
        AgentAmbiguousError: there are several, and none was named.
        AgentImportError: the code is no Python, or raised; ``detail`` has the frames of the user's own code.
        AgentSignatureError: what was found cannot answer.
        AgentLoadError: the class cannot be made without arguments.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "echo.py"
        ...     code = "async def assist(session, query, response): await response.respond('ANSWER', query.prompt)"
        ...     _ = file.write_text(code)
        ...     load_agent("echo.py", project_dir=Path(directory)).name
        'echo'
    """
    project_dir = project_dir.resolve()
    found = (
        Target(file=discover(project_dir)) if target is None else parse_target(target, base or project_dir, project_dir)
    )
    place = found.module if found.file is None else _shown(found.file, project_dir)
    module = import_target(found, project_dir)
    candidate = pick(module, found.attribute, place) if found.attribute else choose(module, place)
    agent = make_agent(candidate, place, _stem(found, module))
    source = getattr(module, "__file__", None)
    return LoadedAgent(
        agent=agent,
        name=_name(agent),
        source=Path(source).resolve() if source else None,
        target=f"{module.__name__}:{candidate.name}",
    )


def _stem(found: Target, module: ModuleType) -> str:
    if found.file is None or found.file.stem == "__init__":
        return module.__name__.rpartition(".")[2]
    return readable(found.file.stem)


def _shown(file: Path, project_dir: Path) -> str:
    return str(file.relative_to(project_dir)) if file.is_relative_to(project_dir) else str(file)


def _name(agent: AgentLike) -> str:
    name: object = getattr(agent, "name", None)
    return name if isinstance(name, str) and name else type(agent).__name__
