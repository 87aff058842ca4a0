"""What a host knows of whoever sees the calls of its models; it need not know how they are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sentient_cli.llm.hooks import CallHook
    from sentient_cli.llm.manager import LLMManager

__all__ = ["Observer"]


class Observer(Protocol):
    """Sees the calls of one process; see `sentient_cli.host.observing`."""

    @property
    def hooks(self) -> Sequence[CallHook]:
        """For the manager whose calls they are."""
        ...

    @property
    def metrics_text(self) -> Callable[[], str] | None:
        """Gives all metrics in the format of Prometheus; None: nobody counts."""
        ...

    def watch(self, manager: LLMManager) -> None:
        """See the breakers and the connections of a manager too, in the place of those that were seen before.

        Args:
            manager: The one that has the `hooks`.
        """
        ...

    async def aclose(self) -> None:
        """Send what is not sent yet. May be called twice."""
        ...
