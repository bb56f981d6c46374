"""`moa-tui guide`: the list of pages, a page, and the search."""

from __future__ import annotations

import pytest

from moa_tui import guide
from tests.cli.shell import call


def test_lists_every_topic_with_a_line() -> None:
    lines = call("guide").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(guide.ORDER)
    assert lines[0].endswith(guide.page("start").summary)


def test_the_list_fits_a_terminal_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa_tui.cli.guide._is_terminal", lambda: True)
    *lines, empty, hint = call("guide", COLUMNS="80").stdout.splitlines()
    assert not [line for line in lines if "…" in line]
    assert empty == ""
    assert "moa-tui guide TOPIC" in hint


def test_prints_a_page_as_it_stands_where_it_is_piped() -> None:
    assert call("guide", "local").stdout == guide.page("local-models").text
    assert call("guide", "local", "models").stdout == guide.page("local-models").text


def test_lays_a_page_out_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa_tui.cli.guide._is_terminal", lambda: True)
    shown = call("guide", "export", COLUMNS="70").stdout
    assert "Export and import" in shown
    assert "# Export" not in shown
    assert "```" not in shown
    assert ".md)" not in shown
    assert "See also conversations." in shown
    assert max(map(len, shown.splitlines())) <= 70


@pytest.mark.parametrize("topic", guide.ORDER)
def test_every_page_can_be_laid_out(monkeypatch: pytest.MonkeyPatch, topic: str) -> None:
    monkeypatch.setattr("moa_tui.cli.guide._is_terminal", lambda: True)
    shown = call("guide", topic, COLUMNS="60").stdout
    assert guide.page(topic).title.split()[0] in shown
    assert max(map(len, shown.splitlines())) <= 60
    assert not [mark for mark in ("```", "](", "|---") if mark in shown]


def test_an_unknown_topic_is_told_with_the_nearest() -> None:
    done = call("guide", "troubleshoting")
    assert done.exit_code == 2
    assert 'no page "troubleshoting"; the nearest are troubleshooting' in done.stderr


def test_finds_sections_by_words_in_one_text_or_several() -> None:
    lines = call("guide", "-s", "use my own Ollama").stdout.splitlines()
    assert lines[0].split(maxsplit=1) == ["local-models", "Use your own Ollama"]
    assert call("guide", "--search", "use", "my", "own", "Ollama").stdout.splitlines() == lines


def test_says_where_nothing_is_found() -> None:
    done = call("guide", "-s", "xyzzy\x1b[2J")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "the guide has nothing about" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_search_needs_words() -> None:
    done = call("guide", "-s")
    assert done.exit_code == 2
    assert "what is to be found" in done.stderr
