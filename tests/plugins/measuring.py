"""What counts for the coverage in this process, and what collecting leaves behind for the garbage collector.

To count lines doubles the time of all Python that runs meanwhile, ours or not. So nothing is counted while tests are
collected - the lines that run on import are counted by `tests.support.prefork`, which imports every module - nor while
a test runs that only repeats what others have run, or has nothing of the package but programs that it starts.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import gc
import json
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import coverage
import pytest
from _pytest.doctest import DoctestModule

from tests.support.prefork import CONTEXT, MEASURED

REPOSITORY = Path(__file__).resolve().parents[2]
_TESTS = REPOSITORY / "tests"
_LIST = Path(__file__).with_name("repeating.txt")
"""Tests that run again what others have run, here and in what they start: modules, and single ones of others."""
_REPEATING_HERE = (
    *("cli/test_create_command.py", "cli/test_create_wizard.py", "learn/test_learn_walk.py"),
    *("scaffold/test_create_equal.py", "scaffold/test_update_command.py"),
    *("server/test_hygiene.py", "templates/test_template_answers.py", "templates/test_template_served.py"),
)
"""Those that run again here what others have run, but not in what they start."""
BY_TEST = "SENTIENT_COUNT_BY_TEST"
"""The variable that has everything counted, and for each test by itself, and names the file for the seconds it took."""

_by_test = os.environ.get(BY_TEST)
_repeating = frozenset(() if _by_test is not None else _LIST.read_text("utf-8").split())
_measurement = coverage.Coverage.current()
if _measurement is not None:
    _measurement.set_option("run:patch", [])  # it was done, and would be done again with each start
    _measurement.stop()


def data_file() -> str | None:
    """Where this process puts down what it measures, if it does."""
    return None if _measurement is None else str(Path(REPOSITORY, str(_measurement.get_option("run:data_file"))))


def is_repetition(test: pytest.Item) -> bool:
    """Whether a test runs nothing of the package that others do not run too."""
    return not _repeating.isdisjoint({_module(test), test.nodeid.partition("[")[0]})


def _module(test: pytest.Item) -> str:
    return test.nodeid.partition("::")[0]


@functools.cache
def _knows_the_package(name: str) -> bool:
    """Whether a module of tests has a name from the package, or from a module of tests that has."""
    names = vars(sys.modules[name]).values() if name in sys.modules else ()
    known = {one.__name__ if isinstance(one, ModuleType) else getattr(one, "__module__", None) for one in names}
    modules = {one for one in known if isinstance(one, str)} - {name}
    if any(one.partition(".")[0] == "sentient_cli" for one in modules):
        return True
    return any(_knows_the_package(one) for one in modules if one.startswith("tests."))


def _is_counted(test: pytest.Item) -> bool:
    if _by_test is not None:
        return True
    fixtures: list[str] = getattr(test, "fixturenames", [])
    repeated_here = any(test.path == _TESTS / name for name in _REPEATING_HERE)
    if repeated_here or is_repetition(test) or "unmeasured" in fixtures:
        return False
    module = getattr(test, "module", None)
    if not isinstance(test, pytest.Function) or not isinstance(module, ModuleType) or "commandline" in fixtures:
        return True
    around = f"{module.__name__.rpartition('.')[0]}.conftest"
    return _knows_the_package(module.__name__) or _knows_the_package(around)


@contextlib.contextmanager
def _counted_by_itself(test: pytest.Item, times: str) -> Generator[None]:
    """Count for this test alone what it starts, and write down how long it took."""
    os.environ[CONTEXT] = test.nodeid
    settings: dict[str, object] = json.loads(base64.b64decode(os.environ[MEASURED]))
    changed = json.dumps(settings | {"context": test.nodeid})
    os.environ[MEASURED] = base64.b64encode(changed.encode()).decode()
    start = time.monotonic()
    yield
    with Path(times).open("a", encoding="utf-8") as file:
        file.write(f"{time.monotonic() - start} {test.nodeid}\n")


@contextlib.contextmanager
def _starting(test: pytest.Item) -> Generator[None]:
    """What fixtures of a module start is measured if any of its tests is."""
    config = os.environ.get(MEASURED)
    if config is None:
        yield
        return
    try:
        if _by_test is not None:
            with _counted_by_itself(test, _by_test):
                yield
        else:
            if _module(test) in _repeating:
                del os.environ[MEASURED]
            yield
    finally:
        os.environ[MEASURED] = config


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Count what a test runs in this process, its fixtures included."""
    with _starting(item):
        if _measurement is None or not _is_counted(item):
            return (yield)
        with _measurement.collect():
            if _by_test is not None:
                _measurement.switch_context(item.nodeid)
            return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for the examples of a module only where there are any."""
    found = yield
    if file_path.suffix == ".py" and b">>> " not in file_path.read_bytes():
        return [collector for collector in found if not isinstance(collector, DoctestModule)]
    return found


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays until the end: no garbage collection need look at it, then or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
