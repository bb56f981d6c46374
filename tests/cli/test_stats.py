"""`moa-tui stats`: what the kept conversations add up to."""

from __future__ import annotations

import json

from moa_tui.settings import paths
from moa_tui.stats.preferences import Preference
from moa_tui.store import Store
from tests.cli.shell import call, kept
from tests.conversations import NOON, a_conversation


def test_stats_are_told_in_words_and_as_json_from_a_day_on() -> None:
    kept(a_conversation(3))
    assert "test" in call("stats").stdout
    assert json.loads(call("stats", "--json").stdout)["recipes"][0]["turns"] == 3
    assert json.loads(call("stats", "--json", "--since", "2030-01-01").stdout)["recipes"] == []
    assert call("stats", "--since", "yesterday").exit_code == 2


def test_stats_have_a_table_of_preferences_where_there_are_choices() -> None:
    kept(a_conversation(3))
    assert "preferred" not in call("stats").stdout
    assert json.loads(call("stats", "--json").stdout)["preferences"] is None
    with Store(paths.database_file()) as store:
        for chosen in ("duo", "duo", None):
            store.prefer(Preference(("duo", "moa"), chosen, False, NOON))
    text = call("stats").stdout
    assert "preferred" in text
    assert "From 3 choices made with /compare" in text
    found = json.loads(call("stats", "--json").stdout)["preferences"]
    assert [(one["recipe"], one["wins"], one["ties"]) for one in found["standings"]] == [
        ("duo", 2, 1),
        ("moa", 0, 1),
    ]
    assert "preferred" not in call("stats", "--since", "2030-01-01").stdout
    assert "preferred" in call("stats", "--since", "2025-01-01").stdout


def test_choices_outlive_the_conversations_they_were_made_in() -> None:
    with Store(paths.database_file()) as store:
        store.prefer(Preference(("duo", "moa"), "moa", True, NOON))
    text = call("stats").stdout
    assert "No conversation is kept yet" in text
    assert "preferred" in text
