"""The names that the package exports."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sentient_cli
from sentient_cli import config
from tests.plugins.isolation import REPOSITORY


@pytest.mark.parametrize("name", sentient_cli.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(sentient_cli, name) is not None
    assert name in dir(sentient_cli)


@pytest.mark.slow
@pytest.mark.parametrize("name", config.__all__)
def test_every_name_of_the_settings_is_there(name: str) -> None:
    assert getattr(config, name) is not None


def test_the_list_is_sorted_and_says_what_the_types_say() -> None:
    assert sorted(sentient_cli.__all__) == sorted(set(sentient_cli.__all__))
    assert set(sentient_cli.__all__) == {*sentient_cli._MODULES, *sentient_cli._SUBPACKAGES, "__version__"}


@pytest.mark.parametrize("module", [sentient_cli, config])
def test_an_unknown_name_is_an_attribute_error(module: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        getattr(module, "nothing")  # noqa: B009 - a type checker would refuse the name


@pytest.mark.usefixtures("unmeasured")
def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, sentient_cli; print([name for name in sys.modules if name.startswith('sentient_cli.')])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
