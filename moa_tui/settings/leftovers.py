"""Files and folders that are of use only to the process that made them, and that a kill leaves behind.

Their names say which process that is, so that another one can tell when nobody needs them any more.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_USE_SECONDS = 24 * 3600


def name(prefix: str) -> str:
    """Return a name that nothing else has, beginning with `prefix`. It is of one length."""
    return f"{prefix}{_machine()}-{os.getpid():010}-{secrets.token_hex(8)}"


def drop(folder: Path, prefix: str) -> None:
    """Delete what dead processes have left in a folder under names of that prefix. Raises nothing.

    What another machine's process has made, or none that can be asked for, goes after a day.
    """
    for path in folder.glob(f"{prefix}*"):
        with suppress(OSError):
            status = path.lstat()
            if hasattr(os, "getuid") and status.st_uid != os.getuid():
                continue  # In a folder of everybody's.
            is_old = status.st_mtime < time.time() - _LONGEST_USE_SECONDS
            if not is_old and not _is_dead(path.name.removeprefix(prefix)):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _machine() -> str:
    # Containers that share a folder have processes of the same numbers, and names of their own.
    return hashlib.blake2b(platform.node().encode("utf-8", "replace"), digest_size=4).hexdigest()


def _is_dead(mark: str) -> bool:
    """True where the process that a name tells of was one of this machine and is gone."""
    machine, _, rest = mark.partition("-")
    number = rest.partition("-")[0]
    if machine != _machine() or not number.isdecimal() or os.name == "nt":
        return False  # On Windows the only way to ask for a process ends it.
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
