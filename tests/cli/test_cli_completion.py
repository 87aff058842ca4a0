"""Completion in four shells: the scripts, and the answers that the shells get."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.processes import Sentient
from tests.plugins.isolation import REPOSITORY
from tests.support import commands

_WORDS: dict[str, dict[str, str]] = {
    "bash": {"COMP_WORDS": "sentient comp", "COMP_CWORD": "1"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "sentient comp"},
    "fish": {"_TYPER_COMPLETE_ARGS": "sentient comp", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    "powershell": {"_TYPER_COMPLETE_ARGS": "sentient comp", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "comp"},
}


@pytest.mark.parametrize("shell", list(_WORDS))
def test_a_script_for_each_shell(commandline: Sentient, shell: str) -> None:
    done = commandline("completion", shell)
    assert done.returncode == 0
    assert f"complete_{shell}" in done.stdout
    assert "_SENTIENT_COMPLETE" in done.stdout
    assert "_SENTIENT_AGENT_CLI_COMPLETE" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("shell", list(_WORDS))
def test_a_command_is_completed(commandline: Sentient, shell: str) -> None:
    done = commandline(env={"_SENTIENT_COMPLETE": f"complete_{shell}", **_WORDS[shell]})
    assert done.returncode == 0
    assert "completion" in done.stdout
    assert "serve" not in done.stdout


def test_options_are_completed(commandline: Sentient) -> None:
    asked = {"_SENTIENT_COMPLETE": "complete_bash", "COMP_WORDS": "sentient serve --", "COMP_CWORD": "2"}
    options = commandline(env=asked).stdout.split()
    assert {"--port", "--host", "--json", "--project"} <= set(options)


@pytest.mark.parametrize(
    ("command", "flag", "begun", "values"),
    [
        ("serve", "--log-level", "", ["debug", "info", "warning", "error"]),
        ("serve", "--log-format", "j", ["json"]),
        ("serve", "--on-disconnect", "c", ["cancel", "continue"]),
        ("create", "--template", "", ["basic", "advanced", "production"]),
        ("create", "-t", "p", ["production"]),
        ("learn", "--step", "t", ["talk", "tool", "test"]),
    ],
)
def test_values_are_completed(commandline: Sentient, command: str, flag: str, begun: str, values: list[str]) -> None:
    words = f"sentient {command} {flag} {begun}"
    asked = {"_SENTIENT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
    assert commandline(env=asked).stdout.split() == values


def test_a_shell_that_is_not_known(commandline: Sentient) -> None:
    done = commandline("completion", "tcsh")
    assert done.returncode == 2
    assert "'powershell'" in done.stderr


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("sentient", "_sentient_completion"),
        pytest.param("sentient-agent-cli", "_sentient_agent_cli_completion", marks=pytest.mark.slow),
    ],
)
def test_bash_itself_completes(sentient: Sentient, name: str, function: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash on this machine")
    program = Path(name)
    code = f"import sys; sys.argv[0] = {name!r}; from sentient_cli.cli.main import main; sys.exit(main())"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -c "{code}" "$@"\n')
    program.chmod(0o755)
    script = sentient("completion", "bash").stdout
    ask = f'COMP_WORDS=({name} com); COMP_CWORD=1; {function} ./{name}; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run([bash, "--norc", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "completion", done.stderr


def _shell(name: str) -> tuple[str, dict[str, str]]:
    """A shell of this machine, and an environment in which it finds ``sentient``."""
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"there is no {name} on this machine")
    return shell, {**os.environ, "PATH": f"{commands.programs()}{os.pathsep}{os.environ['PATH']}"}


def test_fish_itself_completes(sentient: Sentient) -> None:
    fish, environment = _shell("fish")
    Path("script.fish").write_text(sentient("completion", "fish").stdout)
    ask = ["-c", "source script.fish; complete --do-complete 'sentient com'"]
    done = subprocess.run([fish, *ask], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == ["completion"], done.stderr


def test_zsh_itself_completes(sentient: Sentient) -> None:
    zsh, environment = _shell("zsh")
    Path("script.zsh").write_text(sentient("completion", "zsh").stdout)
    Path(".zshrc").write_text("autoload -Uz compinit; compinit -D -u; source ./script.zsh; PS1='ready> '\n")
    own = {**environment, "ZDOTDIR": str(Path.cwd())}
    child: pexpect.spawn[str] = pexpect.spawn(zsh, ["-o", "no_global_rcs", "-i"], env=own, encoding="utf-8", timeout=60)
    try:
        child.expect_exact("ready> ")
        child.send("sentient com\t")
        child.expect(r"sentient .*completion")
    finally:
        child.close(force=True)
