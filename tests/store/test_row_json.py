"""The JSON in the database's columns: its keys and shapes stay, whatever becomes of the exported files."""

from __future__ import annotations

import ast
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import moa_tui.store
from moa_tui.conversation import Conversation, Turn
from moa_tui.engine.values import CallId, Failure, LayerMetrics, Metrics, Outcome, Overlap, Usage
from moa_tui.stats.preferences import Preference
from moa_tui.store import row_json
from moa_tui.store.text_pool import decoded
from tests.conversations import NOON, a_reply
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.store import Store

RECIPE = recipe(
    ["a", {"model": "lab/b", "name": "b", "temperature": 0.5, "count": 2}],
    {"agents": ["judge"], "placement": "system", "use_partial": True},
    max_cost=0.5,
)
RECIPE_JSON = {
    "name": "test",
    "agents": {"a": {"model": "a"}, "judge": {"model": "judge"}},
    "layers": [
        {"agents": ["a", {"model": "lab/b", "name": "b", "temperature": 0.5, "count": 2}]},
        {"agents": ["judge"], "placement": "system", "use_partial": True},
    ],
    "limits": {"max_cost": 0.5, "retries": 2},
}
METRICS = Metrics(
    (LayerMetrics(1, 2, 1, CallId(1, 2), 2.5), LayerMetrics(2, 1, 1, None, 0.0)),
    2.5,
    0.5,
    0.25,
    None,
    (Overlap(CallId(1, 2), 0.125, 0.5),),
    0.75,
    None,
)
METRICS_JSON = {
    "layers": [
        {
            "number": 1,
            "asked": 2,
            "used": 1,
            "slowest": {"layer": 1, "index": 2},
            "seconds": 2.5,
            "in_turn": False,
        },
        {"number": 2, "asked": 1, "used": 1, "slowest": None, "seconds": 0.0, "in_turn": False},
    ],
    "critical_path_seconds": 2.5,
    "parallel_saving_seconds": 0.5,
    "first_proposer_token_seconds": 0.25,
    "first_final_token_seconds": None,
    "overlap": [{"layer": 1, "index": 2, "ngram_share": 0.125, "cosine": 0.5}],
    "diversity": 0.75,
    "novelty": None,
}
FAILURE = Failure("rate_limit", "slow \ud800 down", 429)
FAILURE_JSON = {"kind": "rate_limit", "message": "slow \ud800 down", "status_code": 429}
NOTES = ("one \ud83d", "\ude00 two")


def test_the_columns_hold_these_keys_and_shapes(store: Store) -> None:
    long = "a prompt that is long enough to be named by its key " * 3
    messages = (
        {"role": "system", "content": f"References: {long}"},
        {"role": "user", "content": long},
        {"role": "assistant", "content": "in between"},
    )
    reply = a_reply("An answer.", "failed", messages=messages, error=FAILURE, notes=NOTES)
    outcome = Outcome("failed", "", {CallId(1, 1): reply}, METRICS, FAILURE, Usage(), None, 1.0, NOTES)
    turn = Turn(long, RECIPE, outcome, created=NOON)
    store.save(Conversation((turn,), turn))
    store.prefer(Preference(("one", "two"), "two", True, NOON))
    store.summaries()
    with closing(sqlite3.connect(store.path)) as connection:
        pool = {key: decoded(text) for key, text in connection.execute("SELECT key, text FROM parts")}
        prompt, recipe_key, metrics, *turn_texts = connection.execute(
            "SELECT prompt, recipe, metrics, error, notes FROM turns"
        ).fetchone()
        sent, *call_texts = connection.execute("SELECT messages, error, notes FROM calls").fetchone()
        (compared,) = connection.execute("SELECT recipes FROM choices").fetchone()
    assert json.loads(pool[recipe_key]) == RECIPE_JSON
    assert json.loads(metrics) == METRICS_JSON
    for failure, notes in (turn_texts, call_texts):
        assert json.loads(decoded(failure)) == FAILURE_JSON
        assert decoded(notes) == '["one \ud83d","\ude00 two"]', "escaped, the halves would come back as one"
    assert json.loads(compared) == ["one", "two"]
    assert json.loads(decoded(sent)) == [
        ["system", "References: ", prompt],
        [0, 1],
        ["assistant", "in between"],
    ]


def test_rows_of_these_shapes_are_read() -> None:
    assert row_json.recipe_from(json.dumps(RECIPE_JSON)) == RECIPE
    assert row_json.metrics_from(json.dumps(METRICS_JSON)) == METRICS
    assert row_json.failure_from(json.dumps(FAILURE_JSON)) == FAILURE
    assert row_json.texts_from('["a", "b"]') == ("a", "b")


def without(value: dict[str, Any], key: str) -> str:
    return json.dumps({name: each for name, each in value.items() if name != key})


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (row_json.recipe_from, "{}"),
        (row_json.recipe_from, json.dumps({**RECIPE_JSON, "colour": "red"})),
        (row_json.metrics_from, "[]"),
        (row_json.metrics_from, without(METRICS_JSON, "layers")),
        (row_json.metrics_from, json.dumps({**METRICS_JSON, "colour": "red"})),
        (row_json.metrics_from, json.dumps({**METRICS_JSON, "overlap": [{"layer": 1, "index": 1}]})),
        (row_json.failure_from, without(FAILURE_JSON, "message")),
        (row_json.failure_from, json.dumps({**FAILURE_JSON, "colour": "red"})),
        (row_json.texts_from, "not JSON"),
    ],
)
def test_what_no_version_wrote_is_refused(read: Callable[[str], object], text: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read(text)


FORBIDDEN = {
    *("document", "document_reader", "formats", "export", "importing", "import_foreign", "budget", "chat"),
}


@pytest.mark.parametrize(
    "file", sorted(Path(moa_tui.store.__file__).parent.glob("*.py")), ids=lambda file: file.stem
)
def test_the_store_imports_no_format_of_files_and_no_budget(file: Path) -> None:
    """Not even for its types: every import statement is looked at, wherever it stands."""
    imported = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "the names below are whole names"
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    rooms = {name.split(".")[1] for name in imported if name.startswith("moa_tui.")}
    assert not rooms & FORBIDDEN
