"""The project's settings, its files, and its agent."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from sentient_cli.scaffold.doctor.asking import ask
from sentient_cli.scaffold.doctor.finding import Finding, Status, Surroundings
from sentient_cli.scaffold.doctor.loading import Wanted

__all__ = ["check_agent", "check_exposure", "check_settings"]

SECONDS = 30.0
_OF_OTHERS = "sentient-doctor "


def check_settings(here: Surroundings) -> Iterator[Finding]:
    """Settings load from every layer, and nothing in them looks wrong."""
    if here.settings is None:
        error = here.fault
        what = f"{error.what}. {error.why}" if error and error.why else str(error.what if error else "")
        yield Finding("settings", "fail", what.rstrip("."), error.fix if error else "", error.detail if error else "")
        return
    loaded = here.settings
    if loaded.project_file is None:
        yield Finding("settings", "skip", f"No sentient.toml in {here.start} or above it: the defaults are used")
    else:
        chosen = "" if loaded.settings.profile == "default" else f", profile {loaded.settings.profile}"
        yield Finding("settings", "ok", f"{loaded.project_file}{chosen}")
    if loaded.env_file is not None:
        yield Finding("variables", "ok", f"{loaded.env_file} is read")
    for warning in loaded.warnings:
        yield Finding("variables", "warn", warning, "Correct its name, or remove it")


def check_exposure(here: Surroundings) -> Iterator[Finding]:
    """A server with these settings may be reached by those who should, and by no others."""
    from sentient_cli.errors import SentientError
    from sentient_cli.server.exposure import check_exposure as check

    if here.settings is None:
        return
    server = here.settings.settings.server
    try:
        doubt = check(server)
    except SentientError as error:
        yield Finding("exposure", "fail", f"{error.what}. {error.why}".rstrip(". "), error.fix)
        return
    if doubt:
        what, _, fix = doubt.partition(". ")
        yield Finding("exposure", "warn", what, fix)
        return
    guarded = "with a token" if server.token else "without a token"
    yield Finding("exposure", "ok", f"Served on {server.host}, {guarded}")


def check_agent(here: Surroundings) -> Iterator[Finding]:
    """The agent's code and the model load, in a process of their own: nothing that they do reaches this one."""
    if here.settings is None:
        yield Finding("agent", "skip", "The settings come first")
        return
    env_file = None if here.env_file is None else os.fspath(here.env_file.absolute())
    wanted = Wanted(os.fspath(here.start), here.profile, env_file, here.use_env_file)
    answer = ask(
        [sys.executable, "-P", "-m", "sentient_cli.scaffold.doctor.loading"],
        where=here.start,
        environment=here.environment,
        given=msgspec.json.encode(wanted).decode(),
        seconds=SECONDS,
        quiet=True,
    )
    last = answer.out.rpartition(_OF_OTHERS)[2]
    if answer.late:
        yield Finding(
            "agent", "fail", f"It was not loaded after {SECONDS:.0f} s", "Move what waits from import into `setup`"
        )
    elif answer.code != 0 or not last.startswith("["):
        ended = f"signal {-answer.code}" if answer.code is not None and answer.code < 0 else f"code {answer.code}"
        yield Finding("agent", "fail", f"Loading it ended the process with {ended}", "Run it alone: `sentient serve`")
    else:
        yield from map(_finding, cast("list[Mapping[str, str]]", json.loads(last)))


def _finding(told: Mapping[str, str]) -> Finding:
    status = cast("Status", told["status"])
    return Finding(told["name"], status, told["what"], told.get("fix", ""), told.get("detail", ""))
