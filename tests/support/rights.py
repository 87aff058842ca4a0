"""A command as a user who may not write everywhere, also where the tests are run by root."""

from __future__ import annotations

import os

__all__ = ["AS_NOBODY", "NOBODY"]

NOBODY = 65534
_BECOME = f"""
import ctypes, os
libc = ctypes.CDLL(None)
libc.prctl(8, 1, 0, 0, 0)
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(1 << 2, 1 << 2))
"""
AS_NOBODY = _BECOME if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
"""Python with which root becomes another user, who may read everything (CAP_DAC_READ_SEARCH), such as its Python."""
