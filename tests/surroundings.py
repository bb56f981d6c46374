"""The environment in which every test runs, whatever machine it runs on.

Only what a program needs to start at all is taken over from the machine; all else has a fixed value or none.
So no test depends on the keys, proxies, config, data, terminal, editor or locale of the person who runs it,
and a variable that some library reads need not be known here to be kept out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Taken over from the machine, or set by the test tools.
_KEPT = frozenset(
    {
        # Where programs, libraries and temporary files are.
        *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "TMPDIR", "TEMP", "TMP", "CHROMIUM"),
        # Without these no program starts on Windows.
        *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT"),
        # Python's own, but for those that say how output is buffered and encoded.
        *("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
        *("PYTHONDEVMODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED"),
    }
)
_KEPT_PREFIXES = ("PYENV_", "PYTEST_", "TEXTUAL_SNAPSHOT_", "COV_", "COVERAGE_", "HYPOTHESIS_")

_FIXED = {
    # After a call litellm looks a model of Ollama's up at this address, whatever address the call had.
    "OLLAMA_API_BASE": "http://127.0.0.1:9",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "xterm-256color",
    # Their default ports may be in use on this machine, by model servers or by anything else.
    "MOA_TUI_LOCAL_SERVERS": "none",
}


def surroundings(machine: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment variables of a test on a machine with those of `machine`.

    `folder` is the test's own: the config, data and state directories and the home lie below it. None of them
    exists until something makes it.
    """
    kept = {
        name: value
        for name, value in machine.items()
        if name.upper() in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    home = folder / "home"
    return (
        kept
        | _FIXED
        | {
            "HOME": str(home),
            "USERPROFILE": str(home),
            "APPDATA": str(home / "AppData" / "Roaming"),
            "LOCALAPPDATA": str(home / "AppData" / "Local"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "MOA_TUI_CONFIG": str(folder / "config" / "config.toml"),
            "MOA_TUI_DATA_DIR": str(folder / "data"),
            "MOA_TUI_STATE_DIR": str(folder / "state"),
        }
    )
