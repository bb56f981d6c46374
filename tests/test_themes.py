"""The shipped themes: each is one Textual can use."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from textual.theme import Theme

THEMES = sorted((Path(__file__).parent.parent / "themes").glob("*.toml"))


def test_there_is_a_dark_and_a_light_theme() -> None:
    assert {tomllib.loads(path.read_text())["dark"] for path in THEMES} == {True, False}


@pytest.mark.parametrize("path", THEMES, ids=lambda path: path.stem)
def test_a_theme_is_named_as_its_file_and_makes_a_whole_colour_system(path: Path) -> None:
    theme = Theme(**tomllib.loads(path.read_text()))
    assert theme.name == path.stem
    assert theme.to_color_system().generate()["text-primary"]
