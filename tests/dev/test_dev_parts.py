"""The small parts of ``dev``: what is preloaded, how ends are told, where code failed."""

from __future__ import annotations

import os
import signal
import sys
import types
from pathlib import Path

import pytest

from sentient_cli.dev.crashes import Crash
from sentient_cli.dev.dependencies import Dependencies
from sentient_cli.dev.imports import Imports
from sentient_cli.dev.problems import describe, excerpt
from sentient_cli.dev.processes.preload import imported_names, is_installed, load, with_lazy_parts
from sentient_cli.dev.processes.reaper import ending
from sentient_cli.errors import AgentImportError
from sentient_cli.redact import redactor


def test_what_files_import_is_read_off_them(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("import json, pydantic.fields\nfrom msgspec import json as j\nfrom . import x\n")
    (tmp_path / "helper.py").write_text("def late():\n    import rich\n")
    (tmp_path / "typer.py").write_text("")  # one of the user's own hides it
    (tmp_path / "other.py").write_text("import typer, helper, no_such_package\n")
    (tmp_path / "broken.py").write_text("import watchfiles\nx = (\n")
    os.mkfifo(tmp_path / "pipe.py")  # nobody writes to it
    (tmp_path / "huge.py").write_text("import watchfiles\n" + "#" * 1024 * 1024)
    for ignored in ("node_modules", ".hidden", "env"):
        (tmp_path / ignored).mkdir()
        (tmp_path / ignored / "x.py").write_text("import watchfiles\n")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert imported_names(tmp_path) == ["msgspec", "pydantic", "rich"]


def test_what_cannot_be_imported_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "ends_it_all.py").write_text("raise SystemExit(3)\n")
    assert not load("ends_it_all")
    assert load("json")
    assert not is_installed("..")
    assert with_lazy_parts(["json", "openai"])[:3] == ["json", "openai", "openai.resources.chat"]


def test_what_was_imported_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imports = Imports(["skipped"])
    own = types.ModuleType("own_code")
    own.__file__ = str(tmp_path / "own_code.py")
    foreign = types.ModuleType("foreign.part")
    foreign.__file__ = str(tmp_path / "site-packages" / "foreign" / "part.py")
    skipped = types.ModuleType("skipped.part")
    skipped.__file__ = str(tmp_path / "site-packages" / "skipped" / "part.py")
    for module in (own, foreign, skipped, types.ModuleType("without_a_file")):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert imports.fresh() == ((str((tmp_path / "own_code.py").resolve()),), ("foreign.part",))
    assert imports.fresh() == ((), ())


def test_ends_are_told() -> None:
    assert ending(-200) == "killed by signal 200"
    statuses = (1, -signal.SIGKILL, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGTERM)
    told = {status: Crash(status).while_loading() for status in statuses}
    assert [problem.why for problem in told.values()] == [
        "It ended with exit code 1",
        "It was killed by SIGKILL",
        "It was killed by SIGSEGV: it used memory that is not its own",
        "It was killed by SIGABRT: it was aborted",
        "It was killed by SIGTERM",
    ]
    assert len({problem.fix for problem in told.values()}) == len(statuses)
    assert "os.exec" in told[1].fix
    assert "native" not in told[-signal.SIGTERM].fix
    assert Crash(-signal.SIGTERM).again_and_again().why == "The last one was killed by SIGTERM"


def test_a_place_is_told_and_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    file.write_text("KEY = 'swordfish-in-the-code'\nraise ValueError(KEY)\n")
    redactor.register("swordfish-in-the-code")
    with pytest.raises(ValueError, match="swordfish") as raised:
        exec(compile(file.read_text(), str(file), "exec"), {})  # noqa: S102 - of our own
    error = AgentImportError("It failed", why=str(raised.value))
    error.__cause__ = raised.value
    problem, bare = describe(error), describe(raised.value)
    assert (problem.file, problem.line) == (str(file), 2)
    assert (bare.code, bare.line, bare.fix) == ("unexpected", 2, f"Look at {file}, line 2")
    assert "swordfish" not in repr(problem) + repr(bare)
    assert excerpt(str(file), 9) is None
    assert describe(AgentImportError("It failed")).file is None


def test_an_installation_is_over_when_two_looks_see_the_same(tmp_path: Path) -> None:
    dependencies = Dependencies([tmp_path, tmp_path / "nowhere"])
    os.utime(tmp_path, (1, 1))
    assert [dependencies.settled_anew() for _ in range(3)] == [False, True, False]
