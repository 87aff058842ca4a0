"""Records of LLM calls become entries of the run that they are made in."""

from __future__ import annotations

from sentient_cli.host.redacted import mask_json
from sentient_cli.llm.hooks import CallRecord
from sentient_cli.redact import redactor
from sentient_cli.runtime.events import encode_json
from sentient_cli.runtime.run import current_run

__all__ = ["RunCallHook"]


class RunCallHook:
    """A hook for an `LLMManager`: each record of a call made in a run is appended to the run's log, redacted."""

    def on_record(self, record: CallRecord) -> None:
        """Append one record to the current run, if there is one."""
        run = current_run.get()
        if run is None or run.log.finished:
            return
        data: dict[str, object] = {"call": record.call, "attempt": record.attempt, "parent": record.parent}
        run.note(record.kind, mask_json(encode_json({**data, **record.data}), redactor))
