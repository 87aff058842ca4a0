"""The hub: the process of ``sentient dev`` that has no user code. Everything else comes and goes; it stays."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Collection, Coroutine, Iterable
from typing import Final

import msgspec

from sentient_cli.dev import generations as decided
from sentient_cli.dev import report
from sentient_cli.dev.announcing import Announcing
from sentient_cli.dev.assignment import Assignment
from sentient_cli.dev.changes import Changes
from sentient_cli.dev.debugging import DebugRelay
from sentient_cli.dev.generations import Generations, Stage
from sentient_cli.dev.growth import Growth
from sentient_cli.dev.latecomers import Latecomers
from sentient_cli.dev.launch import Launcher
from sentient_cli.dev.losses import Losses
from sentient_cli.dev.members import Member
from sentient_cli.dev.messages import (
    Begun,
    Cancel,
    Failed,
    Finished,
    FromWorker,
    Idle,
    Imported,
    Leave,
    Loaded,
    Problem,
    ReloadError,
    Retire,
    Stop,
)
from sentient_cli.dev.parts import Records, Server, Watching
from sentient_cli.dev.problems import describe
from sentient_cli.dev.processes.reaper import Reaper
from sentient_cli.dev.report import Reporter
from sentient_cli.dev.router import Router, Where, destination
from sentient_cli.dev.standing import standing
from sentient_cli.dev.variables import Variables
from sentient_cli.dev.watching.stamps import now_ns
from sentient_cli.errors import SentientError

__all__ = ["Hub"]

_TICK: Final = 0.5
_STOP_WITHIN: Final = 0.7
_HELD: Final = 0.3
"""Seconds for which whoever asks right after a save waits for the new code."""

_logger = logging.getLogger(__name__)


class Hub:
    """Loads generations, hands connections to them, and hears what they do. For one event loop, and one in a process.

    Args:
        assignment: Whose code.
        listener: Where clients connect.
        launcher: Starts workers.
        reporter: Is told what happens.
        server: Answers what is not the agent's.
        records: Keeps what happens in runs.
        watching: Watches the files that a generation reads.
        debugging: Leads debuggers to whoever answers.
    """

    def __init__(
        self,
        assignment: Assignment,
        listener: socket.socket,
        launcher: Launcher,
        *,
        reporter: Reporter,
        server: Server,
        records: Records,
        watching: Watching | None = None,
        debugging: DebugRelay | None = None,
    ) -> None:
        self.generations: Generations = Generations()
        self.agent: str | None = None
        """What the agent is called, once that is known."""
        self.problem: Problem | None = None
        """Why the newest generation is broken."""
        self._assignment = assignment
        self._variables = Variables(assignment)
        self._launcher = launcher
        self._reporter = reporter
        self._server = server
        self._records = records
        self._losses = Losses(reporter, records, assignment.home)
        self._watching = watching
        self._debugging = debugging
        self._reaper = Reaper()
        self._router = Router(listener, self._hand_over, server.adopt, patience=assignment.patience)
        self._members: dict[int, Member] = {}
        self._changes = Changes()
        self._launched_at: dict[int, int] = {}
        self._profile = assignment.profile or "default"
        self._launched = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._latecomers = Latecomers()
        self._growth = Growth(assignment.grow_bytes)
        self._announcing = Announcing(assignment, reporter)
        self._seconds: float | None = None
        self._stopping = False
        self._loop = asyncio.get_running_loop()

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to load the code, and to accept."""
        self._reporter.report(report.Starting(self._assignment.agent))
        self._router.start()
        self.reload(())
        self._keep(self._announcing.patiently())
        self._keep(self._tick())

    def reload(self, changed: Iterable[str]) -> None:
        """Load the code anew.

        Args:
            changed: The files that changed, as paths for people.
        """
        self._changes.note(changed, time.monotonic())
        self._do(self.generations.change(self._loop.time()))

    async def settled(self) -> None:
        """Wait until the first code answers, or turns out to be broken."""
        await self._announcing.decided.wait()

    async def renew(self, names: Iterable[str] = ()) -> None:
        """Forget which packages are imported: they have changed, or these are wanted too."""
        try:
            await self._launcher.renew(names)
        except SentientError as error:
            self._reporter.report(report.Notice(error.what, error.fix))

    async def stop(self) -> None:
        """Cancel what runs, each with a last event, and end everything; takes less than a second."""
        self._stopping = True
        self.generations.stop()
        self._reporter.report(report.Stopping(sum(len(member.runs) for member in self._members.values())))
        self._router.stop()
        attending = {f"worker-{generation}" for generation in self._members}
        for member in self._members.values():
            if member.ready:
                member.say(Stop())
            else:  # its code is being loaded, and hears nothing
                member.kill()
        # Those that still launch something use what is closed next.
        await self._end([task for task in self._tasks if task.get_name() not in attending])
        await self._launcher.aclose()
        await _wait(self._tasks)
        for member in self._members.values():
            member.kill()
        await _wait(self._tasks)
        await self._reaper.settle(_STOP_WITHIN)
        await self._end(self._tasks)
        self._reaper.close()

    @staticmethod
    async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await _wait(tasks)

    def _keep(self, work: Coroutine[None, None, None], name: str | None = None) -> None:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("%s has come to an unexpected end", task.get_name(), exc_info=error)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            for member in self._members.values():
                member.sweep()
            self._do(self.generations.tick(self._loop.time()))
            names = self._latecomers.due(self._loop.time())
            if names:
                self._keep(self.renew(names))
            if (told := self._growth.too_much(self.generations, self._members)) is not None:
                self._reporter.report(told)
                self.reload(())

    # -- decisions ---------------------------------------------------------------------------------------------------

    def _do(self, actions: list[decided.Action]) -> None:
        for action in actions:
            match action:
                case decided.Launch(generation):
                    self._launch(generation)
                case decided.Serve(generation):
                    self._serve(generation)
                case decided.Tell(broken):
                    self._tell(broken)
                case decided.Kill(generation):
                    self._kill(generation)
                case decided.Retire(generation):
                    self._say(generation, Retire())
                case decided.Leave(generation):
                    self._say(generation, Leave())
                case decided.Cancel(generation, reason):
                    self._say(generation, Cancel(reason))
        self._router.release()

    def _say(self, generation: int, message: Retire | Leave | Cancel) -> None:
        member = self._members.get(generation)
        if member is not None:
            member.say(message)

    def _kill(self, generation: int) -> None:
        member = self._members.get(generation)
        if member is not None:
            member.kill()

    def _launch(self, generation: int) -> None:
        now = self._launched = time.monotonic()
        files = self._changes.carry(now)
        self._launched_at[generation] = now_ns()
        self._variables.learn()
        if generation > 1:
            self._reporter.report(report.Reloading(generation, files))
        self._keep(self._attend(generation), f"worker-{generation}")
        self._records.changed()

    def _serve(self, generation: int) -> None:
        began, changed = self._changes.settle(time.monotonic())
        seconds = self._seconds = time.monotonic() - began
        mended = self.problem is not None
        self.problem = None
        if (member := self._members.get(generation)) is not None:
            self._growth.begin(generation, member.pid)
        if self._announcing.answered:
            self._reporter.report(report.Reloaded(generation, seconds, changed, mended))
        self._latecomers.wait(self._loop.time())

    def _tell(self, broken: int | None) -> None:
        if broken is None:
            self.problem = None
        for member in self._members.values():
            member.say(ReloadError(broken))
        self._records.changed()

    # -- workers -----------------------------------------------------------------------------------------------------

    async def _attend(self, generation: int) -> None:
        """Start a worker, and hear it to its end."""
        try:
            launched = await self._launcher.launch(self._assignment.order(generation, os.getpid()))
        except Exception as error:  # noqa: BLE001 - whatever it is: this generation will never answer
            self._fail(generation, describe(error))
            return
        member = Member(generation, launched, self._reaper.watch(launched.pid), self)
        self._members[generation] = member
        if self.generations.stage(generation) is None:  # given up meanwhile
            member.kill()
        try:
            status = await member.attend()
            for connection in self._losses.part(member, status, stopping=self._stopping):
                self._router.take_back(connection)
        finally:
            member.kill()  # no longer there, unless this task is cancelled
            del self._members[generation]
            self._launched_at.pop(generation, None)
            member.close()
        self._buried(member, status)

    def _buried(self, member: Member, status: int) -> None:
        stage = self.generations.stage(member.generation)
        crash = self._losses.take(member, status)
        if self._stopping:
            return
        if stage is Stage.LOADING:
            self._fail(member.generation, crash.while_loading())
            return
        if stage is Stage.CURRENT or member.runs:
            self._losses.tell(member, crash)
        elif stage is not None:
            self._reporter.report(report.Retired(member.generation, member.cancelled))
        actions = self.generations.died(member.generation, self._loop.time())
        if stage is Stage.CURRENT and self.generations.broken == member.generation:
            self._break(member.generation, crash.again_and_again())
        self._do(actions)

    def _fail(self, generation: int, problem: Problem) -> None:
        if self.generations.stage(generation) is not Stage.LOADING:
            return
        _, changed = self._changes.settle(time.monotonic())
        actions = self.generations.failed(generation, self._loop.time())
        self._break(generation, problem, changed)
        self._do(actions)

    def _break(self, generation: int, problem: Problem, changed: tuple[str, ...] = ()) -> None:
        self.problem = problem
        self._reporter.report(report.Broken(generation, problem, changed, self.generations.current))
        self._announcing.broken()
        self._records.changed()

    def heard(self, member: Member, message: FromWorker) -> None:
        """Take what a worker says."""
        generation = member.generation
        match message:
            case Loaded():
                self._loaded(member, message)
            case Failed(problem, files):
                self._watch(generation, files)
                self._fail(generation, problem)
            case Begun(run, prompt):
                self._reporter.report(report.RunStarted(run, generation, prompt))
            case Finished():
                self._finished(member, message)
            case Imported(files, installed):
                self._watch(generation, files)
                self._latecomers.learn(installed, self._loop.time())
            case Idle():
                self._do(self.generations.idle(generation, self._loop.time()))

    def _loaded(self, member: Member, message: Loaded) -> None:
        if self.generations.stage(member.generation) is not Stage.LOADING:
            return
        if self._watching is not None:
            self._watching.watch(message.watched)
        self._watch(member.generation, message.files)
        self._latecomers.learn(message.installed, self._loop.time())
        member.ready = True
        self.agent, self._profile = message.agent, message.profile
        if self._debugging is not None:
            self._debugging.switch(message.debug_port)
        self._do(self.generations.loaded(member.generation, self._loop.time()))
        self._announcing.loaded(member.generation, message, self._seconds)
        self._records.changed()

    def _watch(self, generation: int, files: tuple[str, ...]) -> None:
        if self._watching is not None and files:
            self._watching.reads(files, self._launched_at.get(generation))

    def _finished(self, member: Member, message: Finished) -> None:
        begun = member.runs.get(message.run)
        prompt = begun.prompt if begun is not None else ""
        self._reporter.report(
            report.RunEnded(generation=member.generation, prompt=prompt, **msgspec.structs.asdict(message))
        )

    async def carried(self, member: Member, kind: int, payload: bytes) -> None:  # noqa: ARG002 - whose is in the frame
        """Take entries of a worker's runs."""
        await self._records.take(kind, payload)

    def printed(self, member: Member, line: str) -> None:
        """Take a line that a worker's code wrote."""
        self._variables.learn()  # it may have read the file a moment after its launch
        self._reporter.report(report.Output(member.generation, line, "stdout"))

    # -- connections -------------------------------------------------------------------------------------------------

    def _hand_over(self, connection: socket.socket, head: bytes) -> bool:
        where = destination(head)
        if where is not Where.HUB:
            owner = self.generations.owner(where) if isinstance(where, int) else self.generations.current
            member = self._members.get(owner) if owner is not None else None
            if self._is_undecided(where, member):
                return False
            if member is not None:
                return member.hand_over(connection)
        self._server.adopt(connection)
        return True

    def _is_undecided(self, where: Where | int, member: Member | None) -> bool:
        """Whether who answers is known in a moment: nobody does yet, or the code was just saved."""
        if self.generations.loading is None:
            return False
        just_saved = where is Where.AGENT and time.monotonic() - self._launched < _HELD
        return just_saved or (member is None and self.generations.broken is None)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, object]:
        """Where things stand, for the page and for tools."""
        state = standing(
            self.generations, self.problem, self.agent, self._assignment, profile=self._profile, seconds=self._seconds
        )
        return {**state, "crash": self._losses.last}


async def _wait(tasks: Collection[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=_STOP_WITHIN)
