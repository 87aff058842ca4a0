"""Runs the examples of one page as a reader would: in order, in one folder, against real programs."""

from __future__ import annotations

import doctest
import json
import os
import re
import select
import subprocess
import sys
import time
import tomllib
import types
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Self

from sentient_cli import paths
from sentient_cli.config.keys import tables
from sentient_cli.config.validation import validate_file
from sentient_cli.llm.offline import parse_script
from tests.docs.blocks import Block, Command, commands, pattern
from tests.support import commands as forking

_LIMIT = 60
"""Seconds for one command, and for a server to say what the page says it says."""
_TABLES = frozenset(tables()) | {"profile", "profiles", "presets"}
"""What a file of settings may begin with."""
_INSTALLED = "docs/serving.md"
SHOWN = frozenset({"text", "mermaid"})


class Page:
    """The state that the blocks of one page share."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self._name = name
        self._folder = folder
        self._port = str(port)
        self._module = types.ModuleType(f"page_{re.sub(r'[^a-z0-9]', '_', name.lower())}")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        sys.modules[self._module.__name__] = self._module
        sys.path.insert(0, str(self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        sys.path.remove(str(self._folder))
        for name, module in list(sys.modules.items()):
            if module is self._module or str(getattr(module, "__file__", None) or "").startswith(str(self._folder)):
                del sys.modules[name]

    def run(self, block: Block, *, alone: bool = False) -> None:
        """Hold one block to its rule; a module that stands alone is imported, since nothing else shows that it works.

        Raises:
            AssertionError: the page says something that is not so.
        """
        body = block.body.replace("8000", self._port)
        where = f"{self._name}:{block.line}"
        if block.title is not None:
            path = self._folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, "utf-8")
        match block.language:
            case "python":
                self._python(body, where, run=block.title is None or alone)
            case "pycon":
                self._doctest(body, where)
            case "console":
                self._console(body, where, block.exit_code)
            case "toml":
                self._toml(body, where, block)
            case "json":
                _script(json.loads(body), body, "json", where)
            case _:
                assert block.language in SHOWN or block.title, f"{where}: no rule for {block.language!r}: use console"

    def _python(self, body: str, where: str, *, run: bool) -> None:
        code = compile(body, where, "exec", dont_inherit=True)
        if run:
            exec(code, self._module.__dict__)  # noqa: S102 our own pages

    def _toml(self, body: str, where: str, block: Block) -> None:
        told = tomllib.loads(body)
        if _script(told, body, "toml", where) or not (_TABLES.intersection(told) or "sentient" in told.get("tool", ())):
            return
        name = Path(block.title or "sentient.toml").name
        # A file of the user's own may say what one of a project may not.
        path = paths.user_config_file() if name == "config.toml" else self._folder / f".{block.line}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, "utf-8")
        found = validate_file(path)
        path.unlink()
        said = "\n".join(f"{fault.where}: {fault.what}" for fault in found.faults)
        assert found.is_sound == (block.exit_code == 0), f"{where}: are these settings valid?\n{said}"

    def _doctest(self, body: str, where: str) -> None:
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        test = doctest.DocTestParser().get_doctest(body, self._module.__dict__, where, where, 0)
        said: list[str] = []
        result = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
        assert result.failed == 0, f"{where}\n{''.join(said)}"

    def _console(self, body: str, where: str, exit_code: int) -> None:
        found = commands(body)
        assert found, f"{where}: a console block without a `$ command`"
        for number, command in enumerate(found, 1):
            if command.background:
                self._start(command, where)
            else:
                self._finish(command, where, exit_code if number == len(found) else 0)

    def _environment(self) -> dict[str, str]:
        # One page has the program as it is installed; the others fork it, which takes a fraction of the time.
        forked = [] if self._name == _INSTALLED else [str(forking.programs())]
        path = os.pathsep.join([*forked, str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        # A page shows what a reader's terminal shows; somebody else may have the port that is used unless told.
        shown = {"PYTHONUNBUFFERED": "1", "SENTIENT_LOG_FORMAT": "text", "SENTIENT_SERVER_PORT": self._port}
        return {**os.environ, "PATH": path, **shown}

    def _popen(self, command: Command) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command.line}" if command.background else command.line],
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._stack.callback(_end, process)
        return process

    def _finish(self, command: Command, where: str, exit_code: int) -> None:
        process = self._popen(command)
        output = process.communicate(timeout=_LIMIT)[0].decode("utf-8", "replace")
        assert process.returncode == exit_code, f"{where}: `{command.line}` ended with {process.returncode}\n{output}"
        if command.expected:
            text = f"{output.rstrip()}\n"
            assert pattern(command.expected).fullmatch(text), f"{where}: `{command.line}` printed\n{output}"

    def _start(self, command: Command, where: str) -> None:
        process = self._popen(command)
        assert process.stdout is not None
        wanted, output, deadline = pattern(command.expected), "", time.monotonic() + _LIMIT
        while not wanted.match(output):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(process.stdout.fileno(), 65536) if ready else b""
            assert piece, f"{where}: `{command.line}` did not say what the page says, but\n{output}"
            output += piece.decode("utf-8", "replace")


def _script(told: dict[str, object], body: str, form: Literal["toml", "json"], where: str) -> bool:
    """Whether it is a script of the offline model, which then is a valid one."""
    if not {"rule", "fallback"}.intersection(told):
        return False
    parse_script(body, form, name=where)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
