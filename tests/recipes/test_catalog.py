"""What can be chosen on a machine with these files, keys and servers."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.recipe import Recipe
from moa_tui.errors import FileError, NoLocalModelError, UsageError
from moa_tui.gateway import discovery
from moa_tui.gateway.discovery import LocalModel, LocalServer
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes import files
from moa_tui.recipes.catalog import ModelChoice, RecipeCatalog, missing_words
from moa_tui.settings.config import Endpoint, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_server import ModelServer

CANARY = "sk-canary-20c4e1"


def choices(tmp_path: Path, environ: dict[str, str] | None = None, **endpoints: Endpoint) -> RecipeCatalog:
    known = environ or {}
    return RecipeCatalog(
        Settings(endpoints=endpoints), Gateway(endpoints, known), tmp_path / "recipes", known
    )


def own(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "recipes").mkdir(exist_ok=True)
    (tmp_path / "recipes" / f"{name}.toml").write_text(text)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[LocalModel, ...]]:
    """What the default local servers list: nothing until a test puts something in."""
    found: dict[str, tuple[LocalModel, ...]] = {}
    monkeypatch.setattr(discovery, "_list_models", lambda server: found.get(server.name, ()))
    return found


@pytest.fixture
def only_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """No local server is looked for, whatever the machine the test runs on has."""
    monkeypatch.setattr(discovery, "default_servers", lambda environ: ())


MINE = 'name = "mine"\n[[layers]]\nagents = [{ model = "demo/terse" }]\n'


@pytest.mark.usefixtures("servers")
def test_recipes_that_can_run_come_first_then_those_without_a_key_then_broken_ones(tmp_path: Path) -> None:
    own(tmp_path, "mine", MINE)
    own(tmp_path, "broken", "name = ")
    found = choices(tmp_path, {"OPENAI_API_KEY": CANARY}).recipes()
    states = ["broken" if one.problem else "missing" if one.missing else "ready" for one in found]
    assert states == sorted(states, key=["ready", "missing", "broken"].index)
    by_name = {one.name: one for one in found}
    assert by_name["mine"].origin == "yours"
    assert by_name["openai"].missing == {}
    assert by_name["demo"].cost == 0
    assert (by_name["duo"].cost or 0) > 0
    assert by_name["openrouter"].cost is None
    assert by_name["duo"].missing == {"ANTHROPIC_API_KEY": ["claude-haiku-5-5"]}
    assert by_name["broken"].recipe is None
    assert "broken.toml: not valid TOML" in (by_name["broken"].problem or "")
    assert "local" not in by_name
    assert CANARY not in repr(found)


def test_local_is_among_the_recipes_when_a_server_answers(
    tmp_path: Path, servers: dict[str, tuple[LocalModel, ...]]
) -> None:
    with pytest.raises(NoLocalModelError):
        choices(tmp_path).load("local")
    servers["ollama"] = (LocalModel("qwen3:14b", 14), LocalModel("gemma3:4b", 4))
    found = {one.name: one for one in choices(tmp_path).recipes()}
    assert found["local"].origin == "made here"
    assert found["local"].recipe == choices(tmp_path).load("local")
    assert found["local"].cost == 0


@pytest.mark.usefixtures("servers")
def test_a_file_called_local_is_said_to_be_out_of_reach(tmp_path: Path) -> None:
    own(tmp_path, "local", MINE)
    (found,) = [one for one in choices(tmp_path).recipes() if one.name == "local"]
    assert "rename the file" in (found.problem or "")


@pytest.mark.usefixtures("servers")
def test_a_recipe_that_names_two_servers_at_once_is_a_problem(tmp_path: Path) -> None:
    own(
        tmp_path,
        "mine",
        MINE.replace('"demo/terse"', '"lab/x", api_base = "http://127.0.0.1:1/v1"'),
    )
    found = choices(tmp_path, lab=Endpoint(base_url="http://127.0.0.1:2/v1")).recipes()
    (mine,) = [one for one in found if one.name == "mine"]
    assert "keep one of the two" in (mine.problem or "")


@pytest.mark.usefixtures("servers")
def test_the_first_recipe_is_the_one_named_or_the_one_the_keys_decide(tmp_path: Path) -> None:
    assert choices(tmp_path).first("moa")[0].name == "moa"
    assert choices(tmp_path).first("moa")[1] is None
    recipe, why = choices(tmp_path, {"GROQ_API_KEY": CANARY}).first(None)
    assert recipe.name == "groq"
    assert why
    assert choices(tmp_path).first(None)[0].name == "demo"
    with pytest.raises(UsageError, match="did you mean duo"):
        choices(tmp_path).first("dou")


def test_models_at_hand_come_first_with_where_they_are_and_what_they_cost(
    tmp_path: Path, servers: dict[str, tuple[LocalModel, ...]]
) -> None:
    servers["ollama"] = (LocalModel("qwen3:14b", 14),)
    servers["vllm"] = (LocalModel("served", 7),)
    servers["lab"] = (LocalModel("own"),)
    lab = Endpoint(base_url="http://127.0.0.1:2/v1", key_env="LAB_KEY")
    found = choices(tmp_path, {"OPENAI_API_KEY": CANARY}, lab=lab).models()
    ollama, vllm, endpoint, *rest = found
    assert ollama.name == "ollama_chat/qwen3:14b"
    assert (ollama.where, ollama.prompt_price, ollama.context_tokens) == ("ollama", 0.0, 16_384)
    assert ollama.api_base == "http://127.0.0.1:11434"
    assert vllm == ModelChoice("openai/served", "vllm", api_base="http://127.0.0.1:8000/v1")
    assert (endpoint.name, endpoint.where, endpoint.prompt_price) == ("lab/own", "lab", None)
    assert endpoint.missing_key == "LAB_KEY"
    by_name = {one.name: one for one in rest}
    assert by_name["gpt-6-luna"].missing_key is None
    assert (by_name["gpt-6-luna"].context_tokens or 0) > 100_000
    assert (by_name["gpt-6-luna"].completion_price or 0) > 0
    assert by_name["claude-haiku-5-5"].missing_key == "ANTHROPIC_API_KEY"
    names = [one.name for one in found]
    assert names.index("gpt-6-luna") < names.index("demo/terse") < names.index("claude-haiku-5-5")
    assert CANARY not in repr(found)


@pytest.mark.usefixtures("only_endpoints")
def test_an_endpoint_is_asked_for_its_models_with_its_own_key(tmp_path: Path, server: ModelServer) -> None:
    server.models = ["ok", "nomic-embed-text"]
    lab = Endpoint(base_url=server.url, key_env="LAB_KEY")
    gone = Endpoint(base_url="http://127.0.0.1:9/v1")
    found = choices(tmp_path, {"LAB_KEY": CANARY}, lab=lab, gone=gone).models()
    assert [one.name for one in found if one.where in ("lab", "gone")] == ["lab/ok"]


def test_the_key_is_sent_to_the_endpoint_and_stays_in_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []

    class Connection:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def request(self, method: str, path: str, headers: dict[str, str]) -> None:
            sent.append({"method": method, "path": path, **headers})
            raise OSError("no answer")

        def close(self) -> None: ...

    monkeypatch.setattr("http.client.HTTPConnection", Connection)
    endpoints = {"lab": Endpoint(base_url="http://lab.example/v1/", key_env="LAB_KEY")}
    candidates = discovery.endpoint_servers(endpoints, {"LAB_KEY": CANARY})
    assert CANARY not in repr(candidates)
    assert discovery.find_servers(candidates) == ()
    assert sent == [
        {
            "method": "GET",
            "path": "/v1/models",
            "Accept": "application/json",
            "Authorization": f"Bearer {CANARY}",
        }
    ]
    monkeypatch.setattr(discovery, "_list_models", lambda server: (LocalModel("m"),))
    (found,) = discovery.find_servers(candidates)
    assert found == LocalServer("lab", "http://lab.example/v1", "openai", (LocalModel("m"),))


def test_a_saved_recipe_is_the_same_when_read_again_and_private(tmp_path: Path) -> None:
    here = choices(tmp_path)
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
    path = here.save("mine", recipe)
    assert here.load("mine") == recipe.model_copy(update={"name": "mine"})
    assert here.has("mine")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="left as it is"):
        here.save("mine", recipe)
    here.save("mine", files.load("duo", tmp_path), replace=True)
    assert here.load("mine").calls == 3


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "local", ".hidden", "x" * 80, "a\n"])
def test_a_recipes_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a recipe"):
        choices(tmp_path).save(name, files.load("duo", tmp_path))
    with pytest.raises(UsageError, match="cannot name a recipe"):
        choices(tmp_path).has(name)
    with pytest.raises(UsageError, match="cannot name a recipe"):
        choices(tmp_path).copy("duo", name)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipes").write_text("a file")
    with pytest.raises(FileError, match="recipes"):
        choices(tmp_path).save("mine", files.load("duo", tmp_path))


def test_a_copy_keeps_the_comments(tmp_path: Path) -> None:
    own(tmp_path, "mine", f"# why it is so\n{MINE}")
    text = choices(tmp_path).copy("mine", "other").read_text()
    assert text == f"# why it is so\n{MINE}".replace('name = "mine"', 'name = "other"')


def test_the_plan_is_of_the_conversation_or_of_a_short_prompt(tmp_path: Path) -> None:
    here = choices(tmp_path)
    duo = here.load("duo")
    short = here.plan(duo).cost
    long = here.plan(duo, [{"role": "user", "content": "x" * 40_000}]).cost
    assert short is not None
    assert long is not None
    assert long > short > 0


def test_the_situation_names_keys_and_servers_but_no_key(
    tmp_path: Path, servers: dict[str, tuple[LocalModel, ...]]
) -> None:
    servers["ollama"] = (LocalModel("qwen3:14b", 14),)
    found = choices(tmp_path, {"GOOGLE_API_KEY": CANARY}).situation()
    assert found.keys == {"gemini": "GOOGLE_API_KEY"}
    (ollama,) = found.servers
    assert (ollama.name, ollama.url, ollama.models) == ("ollama", "http://127.0.0.1:11434", ("qwen3:14b",))
    assert CANARY not in repr(found)


def test_missing_keys_are_told_on_one_line() -> None:
    assert missing_words({"A_KEY": ["x", "y"], "B_KEY": ["z"]}) == (
        "A_KEY is not set, needed by x, y; B_KEY is not set, needed by z"
    )
