"""The loading of litellm, with a module in its place that says what it was loaded in."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import pytest

from moa_tui.gateway import thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODULE = "stands_in_for_litellm"


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Filled once what is there has been left out of all collections of garbage."""
    frozen: list[str] = []
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(thread, "_MODULE", _MODULE)
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append("frozen"))
    yield frozen
    sys.modules.pop(_MODULE, None)


def test_no_garbage_is_looked_for_while_it_is_loaded_nor_in_it_later(
    tmp_path: Path, frozen: list[str]
) -> None:
    (tmp_path / f"{_MODULE}.py").write_text(
        "import gc\nis_enabled = gc.isenabled()\nasync def rehearse(): pass\n"
    )
    assert gc.isenabled()
    module = thread.load_litellm_stream()
    assert (module.is_enabled, gc.isenabled(), frozen) == (False, True, ["frozen"])
    assert thread.load_litellm_stream() is module
    assert frozen == ["frozen"], "once is enough"


def test_garbage_is_looked_for_again_where_it_cannot_be_loaded(tmp_path: Path, frozen: list[str]) -> None:
    (tmp_path / f"{_MODULE}.py").write_text("raise ImportError('broken')\n")
    with pytest.raises(ImportError, match="broken"):
        thread.load_litellm_stream()
    assert gc.isenabled()
    assert not frozen
