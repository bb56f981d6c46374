"""The chat's settings: their defaults, what is refused, and one key set in a file of one's own."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from moa_tui.errors import FileError
from moa_tui.settings import config
from moa_tui.settings.config import TEMPLATE, Settings, with_value

if TYPE_CHECKING:
    from pathlib import Path

PARTS = [
    *("", "# a comment", "  # indented", "# theme = 1", '# [table]\n# "x" = 1'),
    *(
        'theme = "old"',
        '  theme   =   "old"  # why',
        '"theme" = "old"',
        "'theme' = 'old'",
        "theme = '''\nold\n'''",
    ),
    *('default_recipe = "duo"', 'themes = "x"', 'my_theme = "y"', "theme-x = 1", "reduced_motion = true"),
    *('text = """\ntheme = "no"\n[no.table]\n"""', "text2 = '''\n\n# theme\n'''"),
    *(
        "list = [\n[1, 2],\n[3],\n]",
        'list2 = [ "a",\n"[b]" ]',
        'odd = "\u2028 \u00e9 😀"',
        "# \u2028\u0085 end",
    ),
    *("[keys]", '[keys]\n"run.stop" = "x"', '[other]\ntheme = "theirs"', '[[many]]\ntheme = "theirs"'),
    *('[endpoints.lab]\nbase_url = "http://x/v1"', "  [indented]"),
]
FILES = st.lists(st.sampled_from(PARTS), max_size=7, unique=True).map("\n".join)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


# --- one key of a file ------------------------------------------------------------------------------


@given(FILES, VALUES)
@example("", "😀 \x7f \\ \" ' \n")
@example('text = """\n[no.table]\n"""\nkey = 1', "x")
@example('[keys]\n"run.stop" = "x"', "x")
def test_any_file_stays_valid_and_only_that_key_changes(text: str, value: str) -> None:
    before = parsed(text)
    assume(before is not None)
    assert before is not None
    assert parsed(with_value(text, "theme", value)) == {**before, "theme": value}


@given(FILES, VALUES)
def test_setting_it_again_changes_the_file_no_more(text: str, value: str) -> None:
    assume(parsed(text) is not None)
    once = with_value(text, "theme", value)
    assert with_value(once, "theme", value) == once


@given(FILES, VALUES)
def test_every_comment_stays(text: str, value: str) -> None:
    assume(parsed(text) is not None)
    new = with_value(text, "theme", value).split("\n")
    assert [line for line in text.split("\n") if line.lstrip().startswith("#") and line not in new] == []


def test_the_value_is_replaced_where_it_stands() -> None:
    text = '# mine\ntheme = "a"\ndefault_recipe = "duo"\n'
    assert with_value(text, "theme", "b") == '# mine\ntheme = "b"\ndefault_recipe = "duo"\n'


def test_a_new_key_goes_before_the_first_table_and_the_comment_above_it() -> None:
    text = '# top\n\nkeep_panes_open = true\n\n# my keys\n[keys]\n"run.stop" = "x"\n'
    assert with_value(text, "theme", "b") == (
        '# top\n\nkeep_panes_open = true\n\ntheme = "b"\n\n# my keys\n[keys]\n"run.stop" = "x"\n'
    )


def test_a_new_key_goes_before_the_comments_at_the_end_since_they_may_become_a_table() -> None:
    assert with_value("a = 1\n# [keys]\n", "theme", "b") == 'a = 1\ntheme = "b"\n\n# [keys]\n'


def test_a_new_key_goes_to_the_end_of_a_file_without_tables() -> None:
    assert with_value("# top\na = 1\n", "theme", "b") == '# top\na = 1\ntheme = "b"\n'
    assert with_value("", "theme", "b") == 'theme = "b"\n'


def test_line_ends_of_another_system_stay_valid() -> None:
    new = with_value('default_recipe = "duo"\r\ntheme = "a"\r\n[keys]\r\n', "theme", "b")
    assert parsed(new) == {"default_recipe": "duo", "theme": "b", "keys": {}}


def test_the_file_that_comes_with_a_first_start_takes_a_theme_and_says_the_same_otherwise(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(with_value(TEMPLATE, "theme", "moa-light"))
    assert config.load(path) == Settings(theme="moa-light")


# --- the settings -----------------------------------------------------------------------------------


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return config.load(path)


def test_without_a_file_the_chat_looks_and_behaves_as_it_comes(tmp_path: Path) -> None:
    found = config.load(tmp_path / "none.toml")
    assert found == Settings()
    assert (found.theme, found.reduced_motion, found.keep_panes_open) == ("moa-dark", False, False)
    assert (found.notify, found.keys) == ("none", {})


def test_every_key_of_the_template_is_one_that_can_be_set(tmp_path: Path) -> None:
    lines = []
    for line in TEMPLATE.splitlines():
        setting = line.removeprefix("# ")
        if line.startswith("# ") and (" = " in setting or setting.startswith("[")):
            lines.append(setting)
    found = settings(tmp_path, "\n".join(lines))
    assert found.theme == "moa-light"
    assert found.keys
    assert found.endpoints["lab"].concurrency == 2
    assert found.model_fields_set == set(Settings.model_fields)


@pytest.mark.parametrize("notify", ["none", "bell", "desktop"])
def test_each_way_to_tell_of_a_runs_end_can_be_chosen(tmp_path: Path, notify: str) -> None:
    assert settings(tmp_path, f'notify = "{notify}"').notify == notify


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('notify = "shout"', "config.toml:1: notify: Input should be 'none', 'bell' or 'desktop'"),
        ("keys = 3", "config.toml:1: keys: "),
        ("\n[keys]\nstop = 3", "config.toml:3: keys.stop: "),
        ('reduced_motion = "maybe"', "config.toml:1: reduced_motion: "),
        ('themes = "x"', 'config.toml:1: themes: unknown key; did you mean "theme"?'),
        ("theme = ", "config.toml: not valid TOML: "),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FileError) as caught:
        settings(tmp_path, text)
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_settings_cannot_be_changed_while_they_are_in_use() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().theme = "x"  # type: ignore[misc]
