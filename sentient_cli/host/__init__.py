"""The one composition root: agents, language models, stores and hooks become runs."""

from sentient_cli.host.host import Host, HostLimits, RunHook, RunInfo

__all__ = ["Host", "HostLimits", "RunHook", "RunInfo"]
