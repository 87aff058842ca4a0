"""Keys that tests store, as those of vendors look."""

from __future__ import annotations

__all__ = ["KEY", "OTHER", "THIRD"]

KEY = "sk-proj-0123456789abcdefghijABCD"
OTHER = "sk-proj-zyxwvutsrq9876543210WXYZ"
THIRD = "sk-ant-qwertyuiop0987654321asdfG"
