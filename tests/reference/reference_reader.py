"""Read events with the reference's own models, one JSON text a line; run by the Python that has the reference.

Answers with one line each: the event as its models give it back, or why they refuse it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from typing import Protocol

    class Model(Protocol):
        def model_dump(self, *, mode: str) -> object: ...

    class Adapter(Protocol):
        def validate_python(self, value: object) -> Model: ...


def main() -> None:
    from sentient_agent_framework.interface import events  # type: ignore[import-not-found]  # noqa: PLC0415 - foreign

    adapter = cast("Adapter", events.ResponseEventAdapter)
    for line in sys.stdin:
        try:
            model = adapter.validate_python(json.loads(line))
            answer: object = {"kind": type(model).__name__, "event": model.model_dump(mode="json")}
        except ValueError as error:
            answer = {"refused": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
