"""A fault of our own, as a person is told of it."""

from __future__ import annotations

import traceback
from pathlib import Path

from moa_tui.errors import MoaTuiError
from moa_tui.settings.fault_log import record_bug


def fault_of(error: Exception) -> MoaTuiError:
    """An error of ours as it is, or one that says where a bug came from and that it is in the log of faults.

    A bug's own words are left out: they may hold anything, a key as well.
    """
    if isinstance(error, MoaTuiError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    name = type(error).__name__
    return MoaTuiError(f"moa-tui has a fault, please report it: {name}{place}; {record_bug(error)}")
