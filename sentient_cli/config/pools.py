"""What pools of connections are for; without anything that takes long to import."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Profile"]

Profile: TypeAlias = Literal["steady", "bursty", "streaming"]
"""What the traffic of a provider is like, which its connections are kept for."""
