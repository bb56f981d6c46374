"""Keeps every test away from the user's own keys, config and terminal settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from moa_tui.gateway.catalog import KEY_VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

_UNSET = (
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "TEXTUAL_THEME",
    "OLLAMA_HOST",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
)


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty config, an empty data and state directory, no keys, no proxies."""
    monkeypatch.setenv("MOA_TUI_CONFIG", str(tmp_path / "config" / "config.toml"))
    monkeypatch.setenv("MOA_TUI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MOA_TUI_STATE_DIR", str(tmp_path / "state"))
    proxies = [name for name in os.environ if name.lower().endswith("_proxy")]
    for name in (*_UNSET, *proxies, *(name for names in KEY_VARIABLES.values() for name in names)):
        monkeypatch.delenv(name, raising=False)
