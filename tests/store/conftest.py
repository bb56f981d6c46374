"""A database for each test, or one for all tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is to be; its folder is not there yet."""
    return tmp_path / "data" / "moa-tui.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as store:
        yield store


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """For tests with many examples, none of which minds the others."""
    with Store(tmp_path_factory.mktemp("many") / "moa-tui.db") as store:
        yield store
