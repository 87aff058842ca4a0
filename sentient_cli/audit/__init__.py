"""The audit log: one file of lines that each name the hash of the line before, under a signed checkpoint.

What is appended is on disk when the call returns. Whatever is changed, taken out, put in or cut off afterwards is found
by `verify`, and at which line; what was cut off its end, and a log that was written anew as a whole, by the checkpoint.
"""

from __future__ import annotations

from sentient_cli.audit.checkpoint import Checkpoint
from sentient_cli.audit.event import Event
from sentient_cli.audit.findings import Finding
from sentient_cli.audit.line import Entry
from sentient_cli.audit.log import AuditLog
from sentient_cli.audit.places import AuditPlaces
from sentient_cli.audit.schemas import schema_of
from sentient_cli.audit.verify import Verified, verify

__all__ = ["AuditLog", "AuditPlaces", "Checkpoint", "Entry", "Event", "Finding", "Verified", "schema_of", "verify"]
