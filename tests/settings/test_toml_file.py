"""A file that an editor has begun with a byte order mark is the same file without it."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import TYPE_CHECKING

from moa_tui.settings import config
from moa_tui.ui import themes

if TYPE_CHECKING:
    from pathlib import Path


def marked(source: Path, target: Path) -> Path:
    target.write_bytes(BOM_UTF8 + source.read_bytes())
    return target


def test_a_config_may_begin_with_a_mark(tmp_path: Path) -> None:
    plain = tmp_path / "plain.toml"
    plain.write_text('theme = "moa-dark"\n[endpoints.lab]\nbase_url = "http://127.0.0.1:1"\n')
    assert config.load(marked(plain, tmp_path / "config.toml")) == config.load(plain)


def test_a_theme_may_begin_with_a_mark(tmp_path: Path) -> None:
    folder = tmp_path / "themes"
    folder.mkdir()
    marked(themes.shipped_dir() / "moa-dark.toml", folder / "moa-dark.toml")
    loaded, problems = themes.load(folder)
    assert not problems
    assert set(loaded) == {"moa-dark"}
