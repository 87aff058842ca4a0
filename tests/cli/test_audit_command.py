"""`sentient audit`: what was changed is said, and what is in the log is shown, kept and followed."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from pathlib import Path

import pytest

from sentient_cli.audit import AuditLog, AuditPlaces, Event
from sentient_cli.config import load
from sentient_cli.errors import ConfigError
from tests.cli.processes import Sentient
from tests.support import commands

RESOLVED = Event("credential", "resolved", "default/openai", {"store": "keyring"})


def _fill(*more: Event) -> AuditPlaces:
    AuditLog().append(RESOLVED, Event("config", "set", "llm.model", {"n": 3}), *more)
    return AuditPlaces.of_this_user()


@pytest.mark.story("10.7")
def test_a_log_that_is_as_it_was_written(sentient: Sentient) -> None:
    nothing = sentient("audit", "verify")
    places = AuditPlaces.of_this_user()
    assert (nothing.returncode, nothing.stdout) == (0, f"There is no audit log yet: {places.log}\n")
    _fill()
    done = sentient("audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 lines, and nothing was changed.\nSigned for: 3 entries, hash ")
    assert json.loads(sentient("audit", "verify", "--json").stdout)["intact"] is True
    told = sentient("audit", "verify", "-v").stderr
    assert all(f": {place}\n" in told for place in places)


@pytest.mark.story("10.7")
def test_a_line_that_was_changed(sentient: Sentient) -> None:
    places = _fill()
    places.log.write_bytes(places.log.read_bytes().replace(b"default/openai", b"default/openaj"))
    done = sentient("audit", "verify")
    assert (done.returncode, done.stdout) == (6, "changed: line 2: it does not fit its hash\n")
    assert "1 finding, the first: line 2" in done.stderr
    done = sentient("audit", "verify", "--json")
    found, summed = map(json.loads, done.stdout.splitlines())
    assert found == {"finding": "changed", "line": 2, "text": "it does not fit its hash"}
    assert (summed["intact"], summed["findings"], summed["lines"]) == (False, 1, 3)
    assert json.loads(done.stderr)["error"]["code"] == "difference"


@pytest.mark.story("10.7")
def test_what_was_kept_elsewhere_finds_what_is_missing_here(sentient: Sentient) -> None:
    places = _fill()
    old = [place.read_bytes() for place in places]
    AuditLog().append(RESOLVED)
    Path("kept").write_text(sentient("audit", "checkpoint").stdout)
    Path("kept.key").write_text(sentient("audit", "checkpoint", "--key").stdout)
    assert json.loads(sentient("audit", "checkpoint", "--json").stdout)["note"] == Path("kept").read_text()
    for place, data in zip(places, old, strict=True):
        place.write_bytes(data)
    assert sentient("audit", "verify").returncode == 0
    done = sentient("audit", "verify", "--checkpoint", "kept", "--key", "kept.key")
    assert done.returncode == 6
    assert done.stdout.startswith("truncated: line 4: 1 line that the checkpoint was signed for should follow here")


def test_no_checkpoint_yet(sentient: Sentient) -> None:
    done = sentient("audit", "checkpoint", "--json")
    assert (done.returncode, json.loads(done.stderr)["error"]["code"]) == (3, "audit")


@pytest.mark.slow
def test_the_latest_entries_in_columns(sentient: Sentient) -> None:
    _fill(Event("config", "set", "\x1b[31mred\nline \u202e" + "x" * 90, {"text": "\x1b]0;title\x07"}))
    done = sentient("audit", "tail", "-n", "3", env={"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["2", "3", "4"]
    assert "credential resolved  default/openai" in lines[0]
    assert "store=key" in lines[0]
    assert all(len(line) <= 80 for line in lines)
    assert not {"\x1b", "\u202e", "\x07"} & set(done.stdout)
    assert "\x1b[" in sentient("audit", "tail", env={"FORCE_COLOR": "1"}).stdout
    assert "\x1b[" not in sentient("audit", "tail", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout
    narrow = sentient("audit", "tail", env={"COLUMNS": "20", "LC_ALL": "C", "PYTHONUTF8": "0"})
    assert narrow.returncode == 0
    assert all(len(line) <= 20 for line in narrow.stdout.splitlines())


def test_the_latest_entries_of_a_category_as_json(sentient: Sentient) -> None:
    _fill()
    (line,) = sentient("audit", "tail", "--category", "config", "--json").stdout.splitlines()
    entry = json.loads(line)
    assert (entry["seq"], entry["subject"], entry["data"]) == (3, "llm.model", {"n": 3})
    assert sentient("audit", "tail", "--category", "weather").returncode == 2
    assert sentient("audit", "tail", "-n", "0").stdout == ""
    with AuditPlaces.of_this_user().log.open("ab") as file:
        file.write(b"torn")
    done = sentient("audit", "tail")
    assert len(done.stdout.splitlines()) == 3
    assert "1 lines among them are no entries" in done.stderr


def test_entries_are_followed(sentient: Sentient) -> None:
    _fill()
    process, out = commands.start_reading("audit", "tail", "-f", "--json", directory=Path.cwd(), environment=os.environ)
    with out:
        try:
            seen = [json.loads(out.readline())["seq"] for _ in range(3)]
            AuditLog().append(RESOLVED, Event("config", "unset"))
            seen += [json.loads(out.readline())["seq"] for _ in range(2)]
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
        finally:
            process.kill()
            process.wait(60)
    assert (seen, code) == ([1, 2, 3, 4, 5], 130)


def test_a_log_that_is_cut_off_is_followed_from_its_beginning(sentient: Sentient) -> None:
    places = _fill()
    process, out = commands.start_reading("audit", "tail", "-f", "--json", directory=Path.cwd(), environment=os.environ)
    with out:
        try:
            seen = [json.loads(out.readline())["seq"] for _ in range(3)]
            first = places.log.read_bytes().split(b"\n")[0] + b"\n"
            places.log.write_bytes(first)
            seen.append(json.loads(out.readline())["seq"])
        finally:
            process.kill()
            process.wait(60)
    assert seen == [1, 2, 3, 1]


@pytest.mark.story("10.7")
def test_an_export_says_what_it_is(sentient: Sentient) -> None:
    places = _fill()
    done = sentient("audit", "export", "out.jsonl", "--since", "1h", "--category", "credential", "--json")
    told = json.loads(done.stdout)
    assert (told["entries"], told["lines"], told["first"]["seq"], told["checkpoint"]["size"]) == (1, 3, 2, 3)
    assert Path("out.jsonl").read_bytes() == places.log.read_bytes().split(b"\n")[1] + b"\n"
    assert Path("out.jsonl").stat().st_mode & 0o777 == 0o600
    done = sentient("audit", "export", "-", "--until", "2020-01-01")
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 entries of 3 lines exported." in done.stderr
    assert "Checkpoint: 3 entries, " in done.stderr
    done = sentient("audit", "export", "-")
    assert done.stdout.encode() == places.log.read_bytes()
    assert "Numbers 1 to 3, from 20" in done.stderr


def test_an_export_as_csv_runs_nothing_in_a_spreadsheet(sentient: Sentient) -> None:
    _fill(*(Event("config", "set", subject) for subject in ("=1+1", "\t=1", '@"x",\ny', "\x1b[2Jé")))
    rows = list(csv.DictReader(io.StringIO(sentient("audit", "export", "-", "--format", "csv").stdout)))
    assert [row["subject"] for row in rows[3:]] == ["'=1+1", "' =1", '\'@"x", y', "é"]
    assert json.loads(rows[1]["data"]) == {"store": "keyring"}


def test_an_export_is_whole_or_not_there(sentient: Sentient) -> None:
    places = _fill()
    data = places.log.read_bytes()
    for file, code in ((places.log, 2), (places.checkpoint, 2), (Path("no/such/folder"), 3), (Path(), 2)):
        assert sentient("audit", "export", str(file)).returncode == code
    assert places.log.read_bytes() == data
    assert sentient("audit", "export", "-", "--json").returncode == 2
    assert list(Path.cwd().iterdir()) == []
    places.log.write_bytes(b"x\n" + data)
    assert "1 line of the log is left out" in sentient("audit", "export", "-").stderr


def test_the_schemas(sentient: Sentient) -> None:
    names = [line.split()[0] for line in sentient("audit", "schema").stdout.splitlines()]
    assert names == ["audit", "config", "credential", "security"]
    assert [json.loads(line)["category"] for line in sentient("audit", "schema", "--json").stdout.splitlines()] == names
    for name in names:
        done = sentient("audit", "schema", name)
        assert json.loads(done.stdout)["$id"] == f"urn:sentient:audit:{name}:1"
        assert json.loads(sentient("audit", "schema", name, "--json").stdout) == json.loads(done.stdout)
    assert sentient("audit", "schema", "weather").returncode == 2


def test_the_checkpoint_is_where_the_user_wants_it(sentient: Sentient, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    place = AuditPlaces.of_this_user(share / "checkpoint")
    AuditLog(place).append(RESOLVED)
    assert sentient("audit", "verify").returncode == 6
    assert sentient("audit", "verify", env={"SENTIENT_AUDIT_CHECKPOINT": str(share / "checkpoint")}).returncode == 0
    user = Path(os.environ["XDG_CONFIG_HOME"], "sentient", "config.toml")
    user.parent.mkdir(parents=True)
    user.write_text(f'[audit]\ncheckpoint = "{share}/checkpoint"\n')
    assert sentient("audit", "verify").returncode == 0


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sentient.toml", '[audit]\ncheckpoint = "here"\n'),
        ("sentient.toml", '[profile.default.audit]\ncheckpoint = "here"\n'),
        ("pyproject.toml", '[tool.sentient.audit]\ncheckpoint = "here"\n'),
        (".env", "SENTIENT_AUDIT_CHECKPOINT=here\n"),
    ],
)
def test_no_project_says_where_the_checkpoint_is(file: str, text: str) -> None:
    Path(file).write_text(text)
    with pytest.raises(
        ConfigError, match=r"`audit.checkpoint` is not for a project to make.*SENTIENT_AUDIT_CHECKPOINT"
    ):
        load(environment={})


def test_the_commands_are_named_alike(sentient: Sentient) -> None:
    done = sentient("audit")
    assert (done.returncode, done.stdout) == (0, sentient("audit", "--help").stdout)
    assert all(name in done.stdout for name in ("verify", "tail", "export", "checkpoint", "schema"))
    assert "Did you mean `verify`" in sentient("audit", "verfy", env={"COLUMNS": "200"}).stderr
