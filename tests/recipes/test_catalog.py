"""The recipes of a machine with these files, keys and servers."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.recipe import Recipe
from moa_tui.errors import FileError, NoLocalModelError, UsageError
from moa_tui.gateway.discovery import LocalModel
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes import files
from moa_tui.recipes.catalog import RecipeCatalog, missing_words
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings.config import Endpoint, Settings

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "sk-canary-20c4e1"


def catalog(tmp_path: Path, environ: dict[str, str] | None = None, **endpoints: Endpoint) -> RecipeCatalog:
    settings, gateway = Settings(endpoints=endpoints), Gateway(endpoints, environ or {})
    models = ModelCatalog(settings, gateway, environ or {})
    return RecipeCatalog(settings, gateway, tmp_path / "recipes", models.local_servers)


def own(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "recipes").mkdir(exist_ok=True)
    (tmp_path / "recipes" / f"{name}.toml").write_text(text, encoding="utf-8")


MINE = 'name = "mine"\n[[layers]]\nagents = [{ model = "demo/terse" }]\n'


@pytest.mark.usefixtures("servers")
def test_recipes_that_can_run_come_first_then_those_without_a_key_then_broken_ones(tmp_path: Path) -> None:
    own(tmp_path, "mine", MINE)
    own(tmp_path, "broken", "name = ")
    choices = catalog(tmp_path, {"OPENAI_API_KEY": CANARY}).recipes()
    states = ["broken" if choice.problem else "missing" if choice.missing else "ready" for choice in choices]
    assert states == sorted(states, key=["ready", "missing", "broken"].index)
    by_name = {choice.name: choice for choice in choices}
    assert by_name["mine"].origin == "yours"
    assert by_name["openai"].missing == {}
    assert by_name["demo"].cost == 0
    assert (by_name["duo"].cost or 0) > 0
    assert by_name["openrouter"].cost is None
    assert by_name["duo"].missing == {"ANTHROPIC_API_KEY": ["claude-haiku-5-5"]}
    assert by_name["broken"].recipe is None
    assert "broken.toml: not valid TOML" in (by_name["broken"].problem or "")
    assert "local" not in by_name
    assert CANARY not in repr(choices)


def test_local_is_among_the_recipes_when_a_server_answers(
    tmp_path: Path, servers: dict[str, tuple[LocalModel, ...]]
) -> None:
    with pytest.raises(NoLocalModelError):
        catalog(tmp_path).load("local")
    servers["ollama"] = (LocalModel("qwen3:14b", 14), LocalModel("gemma3:4b", 4))
    by_name = {choice.name: choice for choice in catalog(tmp_path).recipes()}
    assert by_name["local"].origin == "made here"
    assert by_name["local"].recipe == catalog(tmp_path).load("local")
    assert by_name["local"].cost == 0


@pytest.mark.usefixtures("servers")
def test_a_file_called_local_is_said_to_be_out_of_reach(tmp_path: Path) -> None:
    own(tmp_path, "local", MINE)
    (local,) = [choice for choice in catalog(tmp_path).recipes() if choice.name == "local"]
    assert "rename the file" in (local.problem or "")


@pytest.mark.usefixtures("servers")
def test_a_recipe_that_names_two_servers_at_once_is_a_problem(tmp_path: Path) -> None:
    own(
        tmp_path,
        "mine",
        MINE.replace('"demo/terse"', '"lab/x", api_base = "http://127.0.0.1:1/v1"'),
    )
    choices = catalog(tmp_path, lab=Endpoint(base_url="http://127.0.0.1:2/v1")).recipes()
    (mine,) = [choice for choice in choices if choice.name == "mine"]
    assert "keep one of the two" in (mine.problem or "")


@pytest.mark.usefixtures("servers")
def test_the_first_recipe_is_the_one_named_or_the_one_the_keys_decide(tmp_path: Path) -> None:
    assert catalog(tmp_path).first("moa")[0].name == "moa"
    assert catalog(tmp_path).first("moa")[1] is None
    recipe, why = catalog(tmp_path, {"GROQ_API_KEY": CANARY}).first(None)
    assert recipe.name == "groq"
    assert why
    assert catalog(tmp_path).first(None)[0].name == "demo"
    with pytest.raises(UsageError, match="did you mean duo"):
        catalog(tmp_path).first("dou")


def test_a_saved_recipe_is_the_same_when_read_again_and_private(tmp_path: Path) -> None:
    recipes = catalog(tmp_path)
    recipe = Recipe.model_validate(
        {
            "name": "x",
            "agents": {
                "a": {"model": "demo/terse", "system": 'Two\nlines, "quoted" \\ and é', "fallback": ["b"]},
                "b": {"model": "demo/coder", "extra": {"tokens_per_second": 5}},
            },
            "layers": [{"agents": ["a", {"model": "demo/x", "count": 3}], "quorum": 2}, {"agents": ["b"]}],
            "limits": {"max_cost": 0.5},
        }
    )
    path = recipes.save("mine", recipe)
    assert recipes.load("mine") == recipe.model_copy(update={"name": "mine"})
    assert recipes.has_own("mine")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="left as it is"):
        recipes.save("mine", recipe)
    recipes.save("mine", files.load("duo", tmp_path), replace=True)
    assert recipes.load("mine").calls == 3


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "local", ".hidden", "x" * 80, "a\n"])
def test_a_recipes_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a recipe"):
        catalog(tmp_path).save(name, files.load("duo", tmp_path))
    with pytest.raises(UsageError, match="cannot name a recipe"):
        catalog(tmp_path).has_own(name)
    with pytest.raises(UsageError, match="cannot name a recipe"):
        catalog(tmp_path).copy("duo", name)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipes").write_text("a file")
    with pytest.raises(FileError, match="recipes"):
        catalog(tmp_path).save("mine", files.load("duo", tmp_path))


def test_a_copy_keeps_the_comments(tmp_path: Path) -> None:
    own(tmp_path, "mine", f"# why it is so\n{MINE}")
    text = catalog(tmp_path).copy("mine", "other").read_text()
    first_line, rest = text.split("\n", 1)
    assert first_line == "#:schema ./recipe.schema.json"
    assert rest == f"# why it is so\n{MINE}".replace('name = "mine"', 'name = "other"')
    # The copy of a copy names its schema once.
    assert catalog(tmp_path).copy("other", "third").read_text().count("#:schema") == 1


def test_a_file_may_begin_with_a_byte_order_mark_which_its_text_has_not(tmp_path: Path) -> None:
    own(tmp_path, "mine", f"\ufeff{MINE}")
    assert catalog(tmp_path).load("mine").name == "mine"
    assert catalog(tmp_path).text("mine") == MINE


def test_the_plan_is_of_the_conversation_or_of_a_short_prompt(tmp_path: Path) -> None:
    recipes = catalog(tmp_path)
    duo = recipes.load("duo")
    short = recipes.plan(duo).cost
    long = recipes.plan(duo, [{"role": "user", "content": "x" * 40_000}]).cost
    assert short is not None
    assert long is not None
    assert long > short > 0


def test_missing_keys_are_told_on_one_line() -> None:
    assert missing_words({"A_KEY": ["x", "y"], "B_KEY": ["z"]}) == (
        "A_KEY is not set, needed by x, y; B_KEY is not set, needed by z"
    )
