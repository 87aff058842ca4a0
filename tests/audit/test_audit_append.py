"""Appending: many at once, and whatever happens meanwhile, nothing is lost that was told to be there."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import subprocess
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from sentient_cli.audit import AuditLog, AuditPlaces, Event, verify
from sentient_cli.audit.lock import locked
from sentient_cli.errors import AuditError
from tests.audit.audit_kit import EVENT, filled, lines_of, places_in
from tests.support import commands

APPEND = """
import sys
from pathlib import Path
from sentient_cli.audit import AuditLog, AuditPlaces, Event
home = Path({home!r})
log = AuditLog(AuditPlaces(home / "log", home / "checkpoint", home / "key"), patience=60)
told = open({told!r}, "a", buffering=1)
number = 0
while number < {count}:
    number += 1
    (entry,) = log.append(Event("credential", "resolved", {name!r}, {{"n": number}}))
    print(entry.seq, file=told)
"""


@contextlib.contextmanager
def _appending(places: AuditPlaces, told: Path, *, name: str = "a", count: int = 10**9) -> Generator[commands.Forked]:
    """A process that appends, and writes down each number that it was told is there; it ends with the block."""
    told.touch()
    prelude = APPEND.format(home=str(places.log.parent), told=str(told), name=name, count=count)
    process = commands.start("--version", directory=Path.cwd(), environment=os.environ, prelude=prelude)
    assert process.stderr is not None
    with process.stderr:
        try:
            yield process
        finally:
            process.kill()
            process.wait(60)


def _told(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split("\n")[:-1]]


def test_two_processes_at_once(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    with (
        _appending(places, tmp_path / "one", name="one", count=25) as one,
        _appending(places, tmp_path / "two", name="two", count=25) as two,
    ):
        assert (one.wait(60), two.wait(60)) == (0, 0)
    told = [_told(tmp_path / name) for name in ("one", "two")]
    verified = verify(places)
    assert (verified.findings, verified.notes, verified.lines) == ((), (), 51)
    assert sorted(told[0] + told[1]) == list(range(2, 52))
    assert all(numbers == sorted(numbers) for numbers in told)


def _killed(places: AuditPlaces, told: Path, moment: int) -> None:
    with _appending(places, told) as process:
        while len(_told(told)) < moment % 4 and process.poll() is None:
            pass
        for _ in range(moment * 37 % 400):
            told.stat()  # a short while


def _survives_kills(tmp_path: Path, moments: range) -> None:
    places = places_in(tmp_path)
    for moment in moments:
        told = tmp_path / f"told-{moment}"
        _killed(places, told, moment)
        (entry,) = AuditLog(places).append(EVENT)
        verified = verify(places)
        assert verified.findings == ()
        assert not _told(told) or entry.seq > max(_told(told))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_kills(tmp_path: Path) -> None:
    _survives_kills(tmp_path, range(200))


def test_a_few_kills(tmp_path: Path) -> None:
    _survives_kills(tmp_path, range(3, 7))


def test_threads_and_tasks_at_once(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    log = AuditLog(places)
    threads = [threading.Thread(target=lambda: [log.append(EVENT) for _ in range(5)]) for _ in range(4)]

    async def main() -> list[int]:
        return [
            entry.seq for found in await asyncio.gather(*(log.append_async(EVENT) for _ in range(5))) for entry in found
        ]

    for thread in threads:
        thread.start()
    numbers = asyncio.run(main())
    for thread in threads:
        thread.join()
    verified = verify(places)
    assert (verified.findings, verified.lines, len(set(numbers))) == ((), 26, 5)


def test_all_events_of_a_call_or_none(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    entries = AuditLog(places).append(EVENT, EVENT._replace(action="stored"))
    assert [(entry.seq, entry.action) for entry in entries] == [(2, "resolved"), (3, "stored")]
    assert entries[1].prev == entries[0].hash
    assert entries[0].actor["user"]


def test_a_child_of_a_process_that_appends_is_not_in_its_way(tmp_path: Path) -> None:
    places = filled(tmp_path, 1)
    code = f"""
import os, threading, warnings
warnings.simplefilter("ignore")  # of threads beside a fork, which is what is tried here
from pathlib import Path
from sentient_cli.audit import AuditLog, AuditPlaces, Event
from sentient_cli.audit import lock, places
home = Path({str(places.log.parent)!r})
log = AuditLog(AuditPlaces(home / "log", home / "checkpoint", home / "key"), patience=30)
inside, leave = threading.Event(), threading.Event()
def hold():
    with lock.locked(log.places.log, log._open, 30):
        inside.set()
        leave.wait()
thread = threading.Thread(target=hold)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    log.append(Event("config", "set", "child"))
    os._exit(0)
leave.set()
thread.join()
log.append(Event("config", "set", "parent"))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    done = commands.run("--version", prelude=code)
    assert (done.returncode, done.stderr) == (0, b"")
    verified = verify(places)
    assert (verified.findings, verified.lines) == ((), 4)


@pytest.fixture
def small_files() -> Generator[None]:
    """No file may grow beyond 2,500 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("unmeasured")
def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, small_files: None) -> None:
    places = places_in(tmp_path)
    log, count = AuditLog(places), 0

    def fill() -> None:
        nonlocal count
        for count in range(100):  # noqa: B007 - how far it came
            log.append(EVENT)

    with pytest.raises(AuditError, match=r"cannot be kept.*free space"):
        fill()
    data = places.log.read_bytes()
    assert len(lines_of(data)) == count + 1 > 2
    assert verify(places).findings == ()
    with pytest.raises(AuditError):
        log.append(EVENT)
    assert places.log.read_bytes() == data
    assert sorted(path.name for path in places.log.parent.iterdir()) == ["checkpoint", "key", "log"]


@pytest.fixture
def sealed_disk(tmp_path: Path) -> Generator[Path]:
    """A disk that can only be read, with a log on it."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    filled(place)
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_can_only_be_read(sealed_disk: Path) -> None:
    places = places_in(sealed_disk)
    with pytest.raises(AuditError, match="Read-only file system"):
        AuditLog(places).append(EVENT)
    assert verify(places).findings == ()


@pytest.mark.parametrize("part", ["log", "checkpoint", "key"])
def test_no_link_is_followed(tmp_path: Path, part: str) -> None:
    places = filled(tmp_path)
    path: Path = getattr(places, part)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError, match="is a link"):
        AuditLog(places).append(EVENT)


def test_the_folder_is_no_link(tmp_path: Path) -> None:
    places = filled(tmp_path)
    places.log.parent.rename(tmp_path / "elsewhere")
    places.log.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError, match="is a link"):
        AuditLog(places).append(EVENT)


@pytest.mark.parametrize("part", ["log", "key", "folder"])
def test_others_have_no_rights(tmp_path: Path, part: str) -> None:
    places = filled(tmp_path)
    path: Path = places.log.parent if part == "folder" else getattr(places, part)
    rights = path.stat().st_mode & 0o777
    assert rights == (0o700 if part == "folder" else 0o600)
    for wrong in (rights | 0o040, rights | 0o002):
        path.chmod(wrong)
        with pytest.raises(AuditError, match=f"open to others.*chmod {rights:o}"):
            AuditLog(places).append(EVENT)
    path.chmod(rights)
    AuditLog(places).append(EVENT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("part", ["log", "key", "folder"])
def test_nobody_elses(tmp_path: Path, part: str) -> None:
    places = filled(tmp_path)
    path: Path = places.log.parent if part == "folder" else getattr(places, part)
    os.chown(path, 12345, -1)
    with pytest.raises(AuditError, match="belongs to somebody else"):
        AuditLog(places).append(EVENT)


def test_a_log_with_two_names_and_other_things_in_its_place(tmp_path: Path) -> None:
    places = filled(tmp_path)
    (tmp_path / "second").hardlink_to(places.log)
    with pytest.raises(AuditError, match="has a second name"):
        AuditLog(places).append(EVENT)
    (tmp_path / "second").unlink()
    places.log.unlink()
    os.mkfifo(places.log, 0o600)
    with pytest.raises(AuditError, match="no plain file"):
        AuditLog(places).append(EVENT)
    places.log.unlink()
    places.log.mkdir()
    with pytest.raises(AuditError):
        AuditLog(places).append(EVENT)
    with pytest.raises(AuditError):
        verify(places)


def test_the_wait_for_others_is_bounded(tmp_path: Path) -> None:
    places = filled(tmp_path)
    with places.log.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(AuditError, match="is in use"):
            AuditLog(places, patience=0.02).append(EVENT)
    with locked(places.log, lambda: os.open(places.log, os.O_RDWR), 1), pytest.raises(AuditError, match="is in use"):
        AuditLog(places, patience=0.02).append(EVENT)
    AuditLog(places, patience=0.02).append(EVENT)


def test_a_log_that_is_moved_away_meanwhile_begins_anew(tmp_path: Path) -> None:
    places = filled(tmp_path)
    old = places.log.with_name("old")
    with places.log.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=lambda: AuditLog(places).append(EVENT))
        thread.start()
        places.log.rename(old)
        places.checkpoint.unlink()
    thread.join()
    assert len(lines_of(old.read_bytes())) == 6
    verified = verify(places)
    assert (verified.findings, verified.lines) == ((), 2)


def _torn(places: AuditPlaces, left: bytes) -> list[str]:
    """What verify notes of a log behind which a write was cut off, after another."""
    with places.log.open("ab") as file:
        file.write(left)
    before = verify(places)
    assert [finding.kind for finding in before.findings if finding.line] != []
    AuditLog(places).append(EVENT)
    verified = verify(places)
    assert verified.findings == ()
    assert left.rstrip(b"\n") in places.log.read_bytes()
    return [str(note) for note in verified.notes]


@pytest.mark.parametrize("left", [b'{"action":"res', b"x", b"x\n", b"a\nb\nc", b"\n", b"a\n\n", b"\0" * 300_000])
def test_what_a_cut_off_write_has_left_stays_and_is_explained(tmp_path: Path, left: bytes) -> None:
    places = filled(tmp_path)
    size = len(left.removesuffix(b"\n"))
    assert _torn(places, left) == [
        f"line 7: a write was cut off here, and {size} bytes of it are left, as a later line tells"
    ]
    again = b'{"action":"again'
    assert len(_torn(places, again)) == 2
    data = places.log.read_bytes()
    places.log.write_bytes(data.replace(again + b"\n", b""))
    assert "is not there" in verify(places).findings[0].text


def test_the_first_write_was_cut_off(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    places.log.parent.mkdir(mode=0o700)
    places.log.write_bytes(b'{"action":"began"')
    places.log.chmod(0o600)
    AuditLog(places).append(EVENT)
    verified = verify(places)
    assert (verified.findings, verified.lines) == ((), 4)


def test_a_lost_line_break_is_put_back_and_told(tmp_path: Path) -> None:
    places = filled(tmp_path)
    head = places.checkpoint.read_bytes()
    AuditLog(places).append(EVENT)
    places.checkpoint.write_bytes(head)
    places.log.write_bytes(places.log.read_bytes()[:-1])
    AuditLog(places).append(EVENT)
    verified = verify(places)
    assert verified.findings == ()
    assert [note.kind for note in verified.notes] == ["repaired", "unsigned"]


_HARMS: tuple[tuple[Callable[[bytes], bytes], str], ...] = (
    (lambda data: data[:-1], "cut off"),
    (lambda data: b"".join(lines_of(data)[:-1]), "cut off"),
    (lambda data: data[:0], "cut off"),
    (lambda data: data[:-3] + b"2}\n", "changed"),
    (lambda data: data[:-1] + b" ", "changed"),
    (lambda data: data + lines_of(data)[-1], "changed"),
    (lambda data: data + b"x\n" + lines_of(data)[-1], "changed"),
)


@pytest.mark.parametrize(("harm", "said"), _HARMS)
def test_nothing_is_added_to_a_log_that_is_not_as_it_was_signed(
    tmp_path: Path, harm: Callable[[bytes], bytes], said: str
) -> None:
    places = filled(tmp_path)
    data = harm(places.log.read_bytes())
    places.log.write_bytes(data)
    head = places.checkpoint.read_bytes()
    with pytest.raises(AuditError, match=f"{said}.*sentient audit verify"):
        AuditLog(places).append(EVENT)
    assert (places.log.read_bytes(), places.checkpoint.read_bytes()) == (data, head)


def test_the_end_of_a_process_before_its_checkpoint_is_told(tmp_path: Path) -> None:
    places = filled(tmp_path)
    head = places.checkpoint.read_bytes()
    AuditLog(places).append(EVENT, EVENT)
    places.checkpoint.write_bytes(head)
    assert [str(note) for note in verify(places).notes] == [
        "line 7: numbers 7 to 8 are newer than the checkpoint: not signed yet"
    ]
    (entry,) = AuditLog(places).append(Event("config", "set"))
    assert entry.seq == 10
    assert [str(note) for note in verify(places).notes] == [
        "line 9: numbers 7 to 8 had no signature when it was written"
    ]
