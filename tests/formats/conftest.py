"""Reading a file of given content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moa_tui.formats.importer import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moa_tui.formats.importer import Imported

    # Content is a file's text or bytes, or a JSON value.
    Importing = Callable[[object], Imported]


@pytest.fixture
def imported(tmp_path: Path) -> Importing:
    """Reads a file of the content that is given, `file` in `tmp_path`."""

    def read_content(content: object) -> Imported:
        file = tmp_path / "file"
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read(file)

    return read_content
