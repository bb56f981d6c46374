"""Files from anybody that mean to fill the memory, or to keep the program or its database busy."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from moa_tui.conversation import history, path
from moa_tui.engine.recipe import MOST_CALLS, Recipe
from moa_tui.errors import FileError
from moa_tui.formats import export, importer, json_stream, text_file
from moa_tui.formats.foreign import turns
from moa_tui.settings import toml_file
from moa_tui.store import Store

if TYPE_CHECKING:
    from pathlib import Path

TURNS = 1_000


def seats(name: str, count: int) -> str:
    """A first layer that asks the same agent so many times."""
    return "[[layers]]\nagents = [" + f'"{name}",' * count + "]\n"


AGENT = '[agents.a]\nmodel = "demo/x"\n'
LAST = f'[[layers]]\nagents = ["a"]\n{AGENT}'
WINDOW = '[[layers]]\nreads = "all"\nwindow = {size = 4, repeat = 3}\nagents = ["a"]\n'
MANY = '[agents.b]\nmodel = "demo/x"\ncount = 64\n'
MANY_AGENTS = "".join(f'[agents.a{number}]\nmodel = "x/y"\n' for number in range(5_000))
READS = "[[layers]]\nreads = [" + "1," * 100_000 + ']\nagents = ["a"]\n'
RECIPES = {
    "seats": (seats("a", 32_000) + LAST, "32,001 calls"),
    "counts": (seats("b", 500) + LAST + MANY, "32,001 calls"),
    "layers": (seats("a", 1) * 8_000 + AGENT, "8,000 calls"),
    "windows": (seats("a", 200) + WINDOW * 250 + LAST, "80,576 calls"),
    "one window": (seats("a", 490) + WINDOW + AGENT, "977 calls"),
    "reads": (seats("a", 1) + READS + AGENT, "twice in reads"),
    "mistakes": ("[[layers]]\nagents = [" + '{modell = "x"},' * 10_000 + "]\n", "19,9"),
    "unknown keys": ("".join(f"k{number} = 1\n" for number in range(15_000)), "more mistakes"),
    "unknown agent": (seats("z", 1) + MANY_AGENTS, "a19, …)"),
    "parts of a key": ("a" + ".a" * 120_000 + " = 1\n", "200 parts"),
    "nesting": ("a = " + "[" * 200_000, "not valid TOML"),
    "size": ("# " + "x" * 300_000, "250,000 at most"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_asks_for_too_much_is_refused_in_moments(name: str, tmp_path: Path) -> None:
    text, words = RECIPES[name]
    file = tmp_path / "hostile.toml"
    file.write_text(f'name = "hostile"\n{text}')
    begin = time.thread_time()
    with pytest.raises(FileError) as refusal:
        toml_file.read(file, Recipe)
    assert time.thread_time() - begin < 5
    assert words in str(refusal.value)
    assert len(str(refusal.value)) < 5_000


def test_a_recipe_may_ask_as_many_agents_as_is_said() -> None:
    def recipe(proposers: int) -> Recipe:
        layers = [{"agents": ["a"] * proposers}, {"agents": ["a"]}]
        return Recipe.model_validate({"name": "x", "agents": {"a": {"model": "demo/x"}}, "layers": layers})

    assert recipe(MOST_CALLS - 1).calls == MOST_CALLS
    with pytest.raises(ValueError, match="501 calls"):
        recipe(MOST_CALLS)


def chain(turns: int) -> dict[str, object]:
    """OpenAI messages of so many turns, one after another."""
    messages = [
        {"role": role, "content": f"{role} {number}"}
        for number in range(turns)
        for role in ("user", "assistant")
    ]
    return {"messages": messages}


def test_a_long_conversation_is_imported_read_exported_and_imported_again(tmp_path: Path) -> None:
    """Each step takes time that grows with the length alone, and nothing calls itself for each turn."""
    file = tmp_path / "long.json"
    file.write_text(json.dumps(chain(TURNS)))
    begin = time.process_time()
    (imported,) = importer.read(file).conversations
    with Store(tmp_path / "moa-tui.db") as store:
        store.save(imported)
        kept = store.load(imported.id)
    assert len(kept.turns) == TURNS
    assert kept.active is not None
    assert len(path(kept.active)) == TURNS
    assert len(history(kept.active)) == 2 * TURNS - 1
    for format in export.FORMATS:
        assert f"assistant {TURNS - 1}" in export.render([kept], format)
    file.write_text(export.render([kept], "json"))
    (again,) = importer.read(file).conversations
    assert [turn.prompt for turn in again.turns] == [turn.prompt for turn in kept.turns]
    assert time.process_time() - begin < 30


@pytest.mark.parametrize("unit", ["[],", "{},", "0,", "["])
def test_a_file_of_nothing_but_values_is_refused_before_it_is_read(
    unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "values.json"
    file.write_text("[" + unit * 3_000 + "0]")
    monkeypatch.setattr(json_stream, "_MOST_MARKS", 2_000)
    with pytest.raises(FileError, match="more than 2,000 values"):
        importer.read(file)


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as opened:
        opened.truncate(text_file.LARGEST + 1)
    with pytest.raises(FileError, match="larger than 256 MB, which is the most that is read"):
        importer.read(file)


def test_a_conversation_of_too_many_turns_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_TURNS", 10)
    file = tmp_path / "long.json"
    file.write_text(json.dumps(chain(11)))
    with pytest.raises(FileError, match="it has more than 10 turns, which is the most of a conversation"):
        importer.read(file)


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_messages_of_one_side_in_a_row_cost_the_same_each(role: str, tmp_path: Path) -> None:
    file = tmp_path / "row.json"
    messages = [{"role": "user", "content": "x"}, *[{"role": role, "content": "y"}] * 50_000]
    file.write_text(json.dumps({"messages": [*messages, {"role": "user", "content": "z"}]}))
    begin = time.thread_time()
    (conversation,) = importer.read(file).conversations
    assert time.thread_time() - begin < 8
    texts = [text for turn in conversation.turns for text in (turn.prompt, turn.system or "")]
    texts += [turn.outcome.answer for turn in conversation.turns if turn.outcome is not None]
    assert max(text.count("y") for text in texts) == 50_000


def test_a_tree_that_repeats_its_texts_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    mapping = {
        f"n{number}": {
            "parent": f"n{number - 1}" if number else None,
            "children": [f"n{number + 1}", f"leaf{number}"],
            "message": {
                "author": {"role": "user"},
                "content": {"content_type": "text", "parts": ["x" * 1_000]},
            },
        }
        for number in range(1_000)
    }
    leaves = {f"leaf{number}": {"parent": f"n{number}", "children": []} for number in range(1_000)}
    file = tmp_path / "tree.json"
    file.write_text(json.dumps([{"mapping": mapping | leaves, "current_node": "n999"}]))
    with pytest.raises(FileError, match="its turns hold more than 300,000,000 characters"):
        importer.read(file)
