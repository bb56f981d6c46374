"""Themes: the loader says what is wrong with a file and goes on, and the picker tries themes on."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from textual.app import App, ComposeResult
from textual.theme import BUILTIN_THEMES, Theme
from textual.widgets import Button, Input, OptionList, Static

import moa_tui
from moa_tui.settings import paths
from moa_tui.ui import themes
from moa_tui.ui.screens.theme_screen import ThemeScreen
from tests.helpers import wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

NAMES = ("kauri-dark", "moa-dark", "moa-light", "terminal")
UNSET = "the screen is still open"


def problems_of(folder: Path, text: str, file: str = "mine.toml") -> list[str]:
    """What the loader says of a folder that holds one file."""
    (folder / file).write_text(text, encoding="utf-8")
    found, problems = themes.load(folder)
    assert not found
    return problems


def test_the_shipped_themes_load_without_a_problem() -> None:
    found, problems = themes.load(themes.shipped_dir())
    assert not problems
    assert len(found) == 8


def test_an_installed_package_reads_the_themes_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moa_tui, "__file__", str(tmp_path / "moa_tui" / "__init__.py"))
    assert themes.shipped_dir() == tmp_path / "themes"
    (tmp_path / "moa_tui" / "themes").mkdir(parents=True)
    assert themes.shipped_dir() == tmp_path / "moa_tui" / "themes"


def test_a_theme_file_has_the_fields_of_textuals_theme() -> None:
    assert {field.name for field in fields(Theme)} == set(themes.ThemeFile.model_fields)


def test_textuals_own_themes_would_pass() -> None:
    for theme in BUILTIN_THEMES.values():
        assert themes.ThemeFile.model_validate(vars(theme)).theme().name == theme.name


def test_the_users_themes_are_beside_the_config_file_and_need_not_be_there() -> None:
    assert paths.themes_dir() == paths.config_file().parent / "themes"
    assert themes.load(paths.themes_dir()) == ({}, [])


def test_a_theme_of_a_later_folder_replaces_one_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "moa-dark.toml").write_text('name = "moa-dark"\nprimary = "teal"\n')
    found, problems = themes.load(themes.shipped_dir(), tmp_path)
    assert not problems
    assert found["moa-dark"].primary == "teal"
    assert len(found) == 8


def test_a_broken_theme_leaves_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "moa-dark.toml").write_text('name = "moa-dark"\nprimary = "no colour"\n')
    found, problems = themes.load(themes.shipped_dir(), tmp_path)
    assert found["moa-dark"].primary != "no colour"
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "mine"\nprimary = "red"\nprimry = "red"', 'primry: unknown key; did you mean "primary"?'),
        ('name = "mine"\nprimary = "rot"', 'primary: "rot" is not a colour'),
        ('name = "mine"\nprimary = "red 50%"', 'primary: "red 50%" is not a colour'),
        ('name = "mine"', "primary: missing"),
        ('name = "yours"\nprimary = "red"', 'name: is "yours", but the file is called "mine"'),
        ('name = "a,b"\nprimary = "red"', "name:"),
        ('name = "mine"\nprimary = "red"\ndark = "yes"', "dark:"),
        ('name = "mine"\nprimary = "red"\ntext_alpha = 2', "text_alpha:"),
        ('name = "mine"\nprimary = "red"\nluminosity_spread = nan', "luminosity_spread:"),
        ('name = "mine"\nprimary = "red"\n[variables]\nbordr = "red"', 'did you mean "border"?'),
        (
            'name = "mine"\nprimary = "red"\n[variables]\nborder = "red; }"',
            'border: "red; }" is not a colour',
        ),
        (
            'name = "mine"\nprimary = "red"\n[variables]\nblock-cursor-background = "auto 60%"',
            "is not a colour",
        ),
        ('name = "mine"\nprimary = "red"\n[variables]\nlink-style = "wavy"', "link-style:"),
        ('name = "mine"\nprimary = "red"\n[variables]\nbackground-darken-1 = "red 50%"', "variables: "),
        ('name = "mine', "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
        ("luminosity_spread = " + "1" * 5000, "not valid TOML"),
    ],
)
def test_a_problem_names_the_file_and_the_key(tmp_path: Path, text: str, said: str) -> None:
    problems = problems_of(tmp_path, text)
    assert len(problems) == 1
    assert problems[0].startswith(str(tmp_path / "mine.toml"))
    assert said in problems[0]


def test_control_characters_of_a_file_never_reach_the_message(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, 'name = "mine"\nprimary = "red\\u001b]52;c;x\\u0007\\u202e"')
    assert problem.isprintable()
    (problem,) = problems_of(tmp_path, 'name = "mine\\u001b[31m"\nprimary = "red"')
    assert problem.isprintable()


def test_every_problem_of_a_file_is_said(tmp_path: Path) -> None:
    assert len(problems_of(tmp_path, 'name = "mine"\nprimary = "rot"\npanel = "grn"')) == 2


def test_what_cannot_be_read_is_said_and_waits_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    (tmp_path / "nowhere.toml").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "notes.txt").write_text("not a theme")
    found, problems = themes.load(tmp_path, tmp_path / "notes.txt")
    assert not found
    assert [problem.partition(": ")[0].rpartition("/")[2] for problem in problems] == [
        *("folder.toml", "latin.toml", "nowhere.toml", "pipe.toml", "notes.txt")
    ]


class Themed(App[None]):
    """An app with the shipped themes, which keeps what the picker answers."""

    answer: str | None = UNSET

    def compose(self) -> ComposeResult:
        yield Static("beneath")

    def on_mount(self) -> None:
        for theme in themes.load(themes.shipped_dir())[0].values():
            self.register_theme(theme)
        self.theme = "moa-dark"
        self.push_screen(ThemeScreen(NAMES), self._answered)

    def _answered(self, answer: str | None) -> None:
        self.answer = answer


async def opened(pilot: Pilot[None], app: Themed) -> OptionList:
    await wait_until(lambda: isinstance(app.screen, ThemeScreen) and app.screen.query(OptionList))
    await pilot.pause()
    return app.screen.query_one(OptionList)


async def test_the_picker_opens_on_the_theme_in_use() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        options = await opened(pilot, app)
        assert options.highlighted == NAMES.index("moa-dark")
        assert app.theme == "moa-dark"


@key("themes.down")
async def test_a_theme_is_tried_on_while_moving_and_enter_keeps_it() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("down")
        await wait_until(lambda: app.theme == "moa-light")
        await pilot.press("down", "enter")
        await wait_until(lambda: app.answer == "terminal")
        assert app.theme == "terminal"


async def test_enter_pressed_right_after_moving_keeps_the_theme_moved_to() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        app.screen.query_one(OptionList).action_cursor_down()
        await app.screen.run_action("keep")
        await wait_until(lambda: app.answer == "moa-light")
        assert app.theme == "moa-light"


@key("themes.up", "themes.cancel")
async def test_escape_puts_the_former_theme_back() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("up")
        await wait_until(lambda: app.theme == "kauri-dark")
        await pilot.press("escape")
        await wait_until(lambda: app.answer is None)
        await pilot.pause()
        assert app.theme == "moa-dark"


@key("themes.page_up", "themes.page_down")
async def test_page_keys_try_on_the_last_and_the_first() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("pagedown")
        await wait_until(lambda: app.theme == NAMES[-1])
        await pilot.press("pageup")
        await wait_until(lambda: app.theme == NAMES[0])


async def test_typing_filters_and_tries_on_what_is_left() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        options = await opened(pilot, app)
        await pilot.press(*"LIGHT")
        await wait_until(lambda: app.theme == "moa-light")
        assert [option.id for option in options.options] == ["moa-light"]
        await pilot.press("x")
        await wait_until(lambda: not options.display)
        assert app.screen.query_one("#theme-none").display
        await pilot.press("enter")
        await pilot.pause()
        assert app.answer == UNSET
        assert app.screen.query_one(Input).value == "LIGHTx"


async def test_the_mouse_tries_on_keeps_and_goes_back() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.click(OptionList, offset=(3, NAMES.index("terminal")))
        await wait_until(lambda: app.theme == "terminal")
        assert app.answer == UNSET
        assert isinstance(app.focused, Input)
        await pilot.click("#back")
        await wait_until(lambda: app.answer is None)
        assert app.theme == "moa-dark"


async def test_the_buttons_work_by_keyboard() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("down", "tab")
        assert isinstance(app.focused, Button)
        await pilot.press("enter")
        await wait_until(lambda: app.answer == "moa-light")


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_the_whole_picker_is_on_the_screen(size: tuple[int, int]) -> None:
    app = Themed()
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        for widget in app.screen.query("#theme-sample Static, Button, Input"):
            assert app.screen.region.contains_region(widget.region), widget
            assert widget.region.height, widget
        sample = app.screen.query_one("#theme-sample")
        for widget in sample.query(Static):
            assert sample.region.contains_region(widget.region), widget


async def test_every_shipped_theme_can_be_worn() -> None:
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        for name in themes.load(themes.shipped_dir())[0]:
            app.theme = name
            await pilot.pause()
            assert app.current_theme.name == name


async def test_an_ansi_theme_of_only_a_primary_can_be_worn(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\nprimary = "ansi_blue"\nansi = true\n')
    found, problems = themes.load(tmp_path)
    assert not problems
    app = Themed()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        app.register_theme(found["mine"])
        app.theme = "mine"
        await pilot.pause()
        assert app.theme_variables["ansi-background"] == "ansi_default"
