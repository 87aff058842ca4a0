"""The loader through its public door: every way in which the user's code can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentient_cli.errors import (
    AgentAmbiguousError,
    AgentImportError,
    AgentLoadError,
    AgentNotFoundError,
    AgentSignatureError,
)
from sentient_cli.runtime.loader import load_agent
from tests.runtime.loader_kit import CLASS, Write, interpreter, write

__all__ = ["interpreter", "write"]


@pytest.mark.parametrize(
    ("target", "what", "fix"),
    [
        ("agnet.py", "There is no file agnet.py", "Did you mean agent.py?"),
        ("nowhere/agent.py", "There is no file nowhere/agent.py", "Check the path"),
        ("zzz.py", "There is no file zzz.py", "agent.py"),
        ("gat.py", "There is no file gat.py", "has agent.py"),
        ("notes.txt", "notes.txt is not a Python file", "ends in .py"),
        ("agents", "There is no module agents", "Did you mean agent?"),
        ("agent:Ecco", "'Ecco'", "Did you mean Echo?"),
        ("agent:zzz", "'zzz'", "Check the name"),
        ("what is this?", "names no agent", "package.module:name"),
        ("", "names no agent", "package.module:name"),
        ("./empty", "There is no agent in", "Name the agent's file"),
    ],
)
def test_nothing_there(target: str, what: str, fix: str, write: Write, tmp_path: Path) -> None:
    write("agent.py", CLASS)
    write("notes.txt", "")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AgentNotFoundError) as caught:
        load_agent(target, project_dir=tmp_path)
    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "It defines no class or function"),
        ("class Shop: pass\ndef sell(): pass\n", "class Shop, function sell"),
    ],
)
def test_a_module_without_an_agent(code: str, why: str, write: Write, tmp_path: Path) -> None:
    write("agent.py", code)
    with pytest.raises(AgentNotFoundError, match=r"There is no agent in agent\.py") as caught:
        load_agent(None, project_dir=tmp_path)
    assert why in caught.value.why
    assert "async def assist(session, query, response)" in caught.value.fix


def test_two_agents(write: Write, tmp_path: Path) -> None:
    write("agent.py", CLASS + CLASS.replace("Echo", "Other"))
    with pytest.raises(AgentAmbiguousError) as caught:
        load_agent("agent.py", project_dir=tmp_path)
    assert caught.value.why == "Echo, Other"
    assert "`agent.py:Echo`" in caught.value.fix
    assert load_agent("agent.py:Other", project_dir=tmp_path).name == "Other"


def test_two_packages(write: Write, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(f"{name}/__init__.py", "")
        write(f"{name}/agent.py", CLASS)
    with pytest.raises(AgentAmbiguousError) as caught:
        load_agent(None, project_dir=tmp_path)
    assert caught.value.why == "one/agent.py, two/agent.py"


def fail(tmp_path: Path, target: str = "agent.py") -> AgentImportError:
    with pytest.raises(AgentImportError) as caught:
        load_agent(target, project_dir=tmp_path)
    assert "importlib" not in caught.value.detail
    assert "sentient_cli" not in caught.value.detail
    return caught.value


def test_a_syntax_error_shows_its_place(write: Write, tmp_path: Path) -> None:
    file = write("agent.py", "x = 1\n    y = (2 +* 3)\n")
    error = fail(tmp_path)
    assert error.what == "agent.py is no valid Python"
    assert error.why == "unexpected indent"
    assert error.fix == f"Correct {file}, line 2"
    write("agent.py", "def f():\n    y = 2 + $ 3\n")
    assert fail(tmp_path).detail == f"{file}:2\n    y = 2 + $ 3\n            ^"


@pytest.mark.parametrize("data", [b"x = '\xff'\n", b"x = 1\0\n"])
def test_a_file_that_is_no_text(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_bytes(data)
    assert "agent.py" in fail(tmp_path).what


def test_a_syntax_error_elsewhere_names_that_file(write: Write, tmp_path: Path) -> None:
    write("agent.py", "import helper\n")
    helper = write("helper.py", "def\n")
    error = fail(tmp_path)
    assert error.what == "helper.py is no valid Python"
    assert f"{helper}, line 1" in error.fix


def test_an_exception_shows_the_users_frames_and_its_cause_first(write: Write, tmp_path: Path) -> None:
    helper = write("helper.py", "def read():\n    return {}['key']\n")
    code = (
        "import helper\ntry:\n    helper.read()\n"
        "except KeyError as error:\n    raise RuntimeError('no settings') from error\n"
    )
    file = write("agent.py", code)
    error = fail(tmp_path)
    assert error.what == "agent.py failed while it was imported"
    assert error.why == "RuntimeError: no settings"
    assert error.detail.splitlines() == [
        "KeyError: 'key'",
        f"  {helper}:2 in read",
        "    return {}['key']",
        f"  {file}:3 in <module>",
        "    helper.read()",
        "which led to RuntimeError: no settings",
        f"  {file}:5 in <module>",
        "    raise RuntimeError('no settings') from error",
    ]
    assert error.fix == f"Look at {file}, line 5"


def test_an_exception_out_of_a_library_names_the_line_of_the_user(write: Write, tmp_path: Path) -> None:
    file = write("agent.py", "import json\njson.loads('{')\n")
    error = fail(tmp_path)
    assert error.why.startswith("json.decoder.JSONDecodeError")
    assert error.fix == f"Look at {file}, line 2"
    assert len(error.detail.splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("not_there", "Install the package that it is part of, with pip or uv"),  # and not a stranger's of that name
        ("yaml_not.part", "Install the package that it is part of, with pip or uv"),
        ("cv2", "Install it: `pip install opencv-python`"),
    ],
)
def test_a_missing_dependency_names_what_to_install(name: str, fix: str, write: Write, tmp_path: Path) -> None:
    write("agent.py", f"import {name}\n")
    error = fail(tmp_path)
    assert error.why.startswith("agent.py needs the module")
    assert error.fix == fix


def test_a_missing_dependency_of_a_dependency_names_the_dependency(write: Write, tmp_path: Path) -> None:
    write("venv/site-packages/shelf/__init__.py", "import not_there\n")
    write("agent.py", f"import sys\nsys.path.append({str(tmp_path / 'venv/site-packages')!r})\nimport shelf\n")
    error = fail(tmp_path)
    assert error.why == "shelf needs the module not_there, which is not installed"
    assert "site-packages" not in error.detail


def test_a_misspelt_module_of_the_project(write: Write, tmp_path: Path) -> None:
    write("helper.py", "")
    write("agent.py", "import helpr\n")
    assert fail(tmp_path).fix == "Did you mean helper?"


def test_a_missing_part_of_a_package_of_the_project(write: Write, tmp_path: Path) -> None:
    write("shop/__init__.py", "")
    write("agent.py", "import shop.goods\n")
    error = fail(tmp_path)
    assert "shop is there, but has no such part" in error.why


def test_a_name_that_a_module_does_not_have(write: Write, tmp_path: Path) -> None:
    write("helper.py", "")
    write("agent.py", "from helper import nothing\n")
    assert "cannot import name 'nothing'" in fail(tmp_path).why


def test_modules_that_import_each_other(write: Write, tmp_path: Path) -> None:
    write("agent.py", "import one\n")
    write("one.py", "from two import B\nA = 1\n")
    write("two.py", "from one import A\nB = 1\n")
    error = fail(tmp_path)
    assert error.why == "Modules import each other in a circle: agent.py > one.py > two.py"


def test_a_package_that_lacks_what_it_imports_from_itself(write: Write, tmp_path: Path) -> None:
    write("pack/__init__.py", "from . import nothing\n")
    write("agent.py", "import pack\n")
    assert fail(tmp_path).why.startswith("__init__.py imports a name from itself, or from its own package")


@pytest.mark.parametrize("ending", ["import sys; sys.exit(3)", "raise SystemExit('over')", "exit()"])
def test_a_module_that_ends_the_program(ending: str, write: Write, tmp_path: Path) -> None:
    write("agent.py", f"{ending}\n")
    error = fail(tmp_path)
    assert "ended the program" in error.why
    assert "__main__" in error.fix


def test_a_cancellation_while_imported_is_a_failure(write: Write, tmp_path: Path) -> None:
    write("agent.py", "import asyncio\nraise asyncio.CancelledError\n")
    assert "CancelledError" in fail(tmp_path).why


def test_an_interrupt_stays_one(write: Write, tmp_path: Path) -> None:
    write("agent.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_agent("agent.py", project_dir=tmp_path)


def test_what_failed_can_be_corrected_and_loaded_again(write: Write, tmp_path: Path) -> None:
    write("agent.py", "raise ValueError\n")
    fail(tmp_path)
    write("agent.py", "# now longer than before\n" + CLASS)
    assert load_agent("agent.py", project_dir=tmp_path).name == "Echo"


@pytest.mark.parametrize(
    ("code", "what", "why"),
    [
        ("def assist(session, query, response): pass", "assist is not async", "def assist(session, query, response)"),
        (
            "from sentient_cli import agent\n@agent\ndef plain(session, query, response): pass",
            "plain is not async",
            "def plain(session, query, response)",
        ),
        (
            "from sentient_cli import agent\n@agent(name='A')\nasync def short(session, query): pass",
            "short does not take a session, a query and a response",
            "It is `async def short(session, query)`",
        ),
        (
            "class A:\n    def assist(self, session, query, response): pass",
            "A.assist is not async",
            "def assist(self, session, query, response)",
        ),
        (
            "class A:\n    async def assist(self, session: str, query): pass",
            "A.assist does not take a session, a query and a response",
            "It is `async def assist(self, session, query)`",
        ),
        (
            "async def assist(session, query, response, more): pass",
            "assist does not take a session, a query and a response",
            "It is `async def assist(session, query, response, more)`",
        ),
        (
            "class A:\n    async def assist(self, session, query, response): yield 1",
            "A.assist yields",
            "async def assist(self, session, query, response)",
        ),
        ("class A:\n    assist = 3", "A.assist cannot be called", "an int"),
    ],
)
def test_an_assist_of_the_wrong_shape(code: str, what: str, why: str, write: Write, tmp_path: Path) -> None:
    write("agent.py", f"{code}\n")
    with pytest.raises(AgentSignatureError) as caught:
        load_agent(None, project_dir=tmp_path)
    assert what in caught.value.what
    assert why in caught.value.why
    assert caught.value.fix


@pytest.mark.parametrize("name", ["thing", "Shop", "sys"])
def test_a_named_object_that_is_no_agent(name: str, write: Write, tmp_path: Path) -> None:
    write("agent.py", "import sys\nthing = 3\nclass Shop: pass\n")
    with pytest.raises(AgentSignatureError, match=f"{name} in agent is no agent"):
        load_agent(f"agent:{name}", project_dir=tmp_path)


def test_an_abstract_class(write: Write, tmp_path: Path) -> None:
    code = "from abc import abstractmethod\n" + CLASS + "    @abstractmethod\n    def more(self): ...\n"
    write("agent.py", code)
    with pytest.raises(AgentSignatureError, match="Echo is an abstract class") as caught:
        load_agent("agent:Echo", project_dir=tmp_path)
    assert caught.value.why == "It lacks more"


def test_a_constructor_that_needs_arguments(write: Write, tmp_path: Path) -> None:
    write("agent.py", CLASS + "    def __init__(self, key, *, model, size=3): ...\n")
    with pytest.raises(AgentLoadError) as caught:
        load_agent(None, project_dir=tmp_path)
    assert caught.value.why == "Its constructor needs key, model"


def test_a_constructor_that_raises(write: Write, tmp_path: Path) -> None:
    file = write("agent.py", CLASS + "    def __init__(self):\n        raise ValueError('no key')\n")
    error = fail(tmp_path)
    assert (error.what, error.why) == ("Echo() raised", "ValueError: no key")
    assert error.detail.splitlines()[1] == f"  {file}:7 in __init__"


@pytest.mark.parametrize("error_class", [AgentNotFoundError, AgentAmbiguousError, AgentImportError])
def test_all_of_them_are_load_errors(error_class: type[AgentLoadError]) -> None:
    assert issubclass(error_class, AgentLoadError)
    assert error_class.exit_code == 5
