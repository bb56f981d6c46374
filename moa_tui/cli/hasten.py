"""How the chat gets quickly to its first frame: what the frame does without is put off or left out."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moa_tui import deferred

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def hastened() -> Iterator[None]:
    """Load modules on first use from now on, and collect no garbage while the block runs.

    A start makes hardly any garbage, and collections would walk all that is imported again and again. The
    chat collects from the moment it is mounted.
    """
    deferred.install()
    gc.disable()
    # pydantic would look for plugins in the metadata of every installed package (pydantic/plugin/_loader.py).
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        yield
    finally:
        gc.enable()
