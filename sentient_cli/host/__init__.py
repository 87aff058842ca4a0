"""The one composition root: agents, language models, stores and hooks become runs."""

from sentient_cli.host.hooks import RunHook, RunInfo
from sentient_cli.host.host import Host
from sentient_cli.host.limits import HostLimits

__all__ = ["Host", "HostLimits", "RunHook", "RunInfo"]
