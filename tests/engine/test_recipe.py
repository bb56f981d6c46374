"""Recipes from TOML: what a file may say, and how wrong ones are explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.agent import EFFORTS
from moa_tui.engine.recipe import Recipe
from moa_tui.errors import FileError, UsageError
from moa_tui.recipes import files
from moa_tui.settings import toml_file

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
name = "mine"
[defaults]
temperature = 0.7
max_tokens = 2048
extra = { seed = 1 }
[agents.qwen]
model = "together_ai/Qwen/Qwen3.7-Max"
fallback = ["glm"]
[agents.glm]
model = "together_ai/zai-org/GLM-5.3"
temperature = 0.1
extra = { top_k = 5 }
[[layers]]
agents = ["qwen", "glm", { model = "gpt-6-luna", count = 2 }]
[[layers]]
task = "synthesize"
agents = ["qwen"]
[limits]
idle_seconds = 30
"""


def parse(text: str) -> Recipe:
    return toml_file.parse(text, Recipe, "mine.toml")


def problem(text: str) -> str:
    with pytest.raises(FileError) as caught:
        parse(text)
    return str(caught.value)


def test_names_are_resolved_defaults_applied_and_counts_unrolled() -> None:
    recipe = parse(GOOD)
    first, last = recipe.lineup
    assert [agent.name for agent in first] == ["qwen", "glm", "gpt-6-luna 1", "gpt-6-luna 2"]
    assert [agent.temperature for agent in first] == [0.7, 0.1, 0.7, 0.7]
    assert first[1].extra == {"seed": 1, "top_k": 5}
    assert last[0].max_tokens == 2048
    assert recipe.calls == 5
    assert [recipe.task(1), recipe.task(2)] == ["answer", "synthesize"]
    assert recipe.limits.idle_seconds == 30
    assert [agent.name for agent in recipe.fallbacks(last[0])] == ["glm"]
    assert {agent.model for agent in recipe.every_agent()} == {
        "together_ai/Qwen/Qwen3.7-Max", "together_ai/zai-org/GLM-5.3", "gpt-6-luna",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("idle_seconds", "idel_seconds", 'mine.toml:20: limits.idel_seconds: unknown key; did you mean'),
        ("[defaults]", "[default]", 'mine.toml:3: default: unknown key; did you mean "defaults"?'),
        ("fallback", "fallbak", 'agents.qwen.fallbak: unknown key; did you mean "fallback"?'),
        ("count = 2", "cuont = 2", 'layers[1].agents[3].cuont: unknown key; did you mean "count"?'),
        ("task =", "tsak =", 'mine.toml:17: layers[2].tsak: unknown key; did you mean "task"?'),
        ('"synthesize"', '"merge"', "layers[2].task: Input should be"),
        ('agents = ["qwen"]', 'agents = ["qwen", "glm"]', "the last layer is the aggregator"),
        ('agents = ["qwen"]', 'agents = ["gwen"]', 'layer 2 names the agent "gwen"'),
        ('fallback = ["glm"]', 'fallback = ["nobody"]', '"nobody"'),
        ("temperature = 0.7", "temperature = 7", "defaults.temperature"),
        ('name = "mine"', "", "mine.toml: name: missing"),
        ('task = "synthesize"', 'task = "answer"', "layer 2 would ignore the answers before it"),
        ('agents = ["qwen"]', 'agents = ["qwen"]\nquorum = 2', "quorum 2 is more than its 1 agents"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_explained_by_file_line_and_key(wrong: str, right: str, said: str) -> None:
    assert said in problem(GOOD.replace(wrong, right))


def test_broken_toml_names_the_parsers_line() -> None:
    message = problem('name = "x"\nlayers = [}')
    assert message.startswith("mine.toml: not valid TOML: ")
    assert "line 2" in message


@pytest.mark.parametrize(
    "line",
    [
        'api_key_env = "sk-proj-12345678901234567890"',
        'api_key_env = "gsk_12345678901234567890"',
        'api_base = "https://example.org/v1?key=12345678901234567890"',
        'api_base = "https://sk-12345678901234567890@example.org/v1"',
        'extra = { aws_secret_access_key = "12345678901234567890" }',
        'extra = { extra_headers = { X-Auth-Token = "12345678901234567890" } }',
        'extra = { api_key = "sk-proj-12345678901234567890" }',
        'extra = { extra_headers = { Authorization = "Bearer sk-proj-12345678901234567890" } }',
        'api_base = "https://me:sk-proj-12345678901234567890@example.org/v1"',
    ],
)
def test_a_key_has_no_place_in_a_recipe_and_is_not_repeated_in_the_message(line: str) -> None:
    message = problem(GOOD.replace("temperature = 0.1", line).replace("extra = { top_k = 5 }", ""))
    assert "environment variable" in message
    assert "12345678901234567890" not in message


@pytest.mark.parametrize("setting", ["stream = false", "n = 3", "max_tokens = 9"])
def test_what_the_program_sets_itself_cannot_be_passed_through(setting: str) -> None:
    assert "is set by moa-tui itself" in problem(GOOD.replace("top_k = 5", setting))


@pytest.mark.parametrize("setting", ['api_base = "http://x/v1"', 'base_url = "http://x/v1"'])
def test_a_server_is_named_in_one_place_alone(setting: str) -> None:
    assert "an address goes into api_base" in problem(GOOD.replace("top_k = 5", setting))


def test_settings_with_token_in_their_name_are_no_secrets() -> None:
    extra = "max_completion_tokens = 5, tokens_per_second = 9, prompt_cache_key = 'x', min_tokens = 1"
    assert parse(GOOD.replace("top_k = 5", extra)).agents["glm"].extra["min_tokens"] == 1


@pytest.mark.parametrize("place", ['name = "mine"', 'model = "gpt-6-luna"', "[agents.glm]"])
def test_what_is_shown_of_a_recipe_holds_no_terminal_sequences(place: str) -> None:
    hostile = {
        'name = "mine"': 'name = "mi\\u001b]0;pwn\\u0007ne"',
        'model = "gpt-6-luna"': 'model = "gpt\\u202e"',
        "[agents.glm]": '[agents."g\\u001b[2Jlm"]',
    }[place]
    message = problem(GOOD.replace(place, hostile))
    assert "control or invisible character" in message
    assert "\x1b" not in message


@pytest.mark.parametrize(
    "setting", ['prompt = "x"', 'placement = "user"', "shuffle = true", "anonymous = false"]
)
def test_settings_for_references_have_no_place_in_the_first_layer(setting: str) -> None:
    wrong = GOOD.replace("count = 2 }]", f"count = 2 }}]\n{setting}")
    assert f"{setting.split()[0]} has no effect there" in problem(wrong)


def test_one_mistake_gives_one_message() -> None:
    assert len(problem(GOOD.replace("count = 2", "temperatur = 2")).splitlines()) == 1


def test_a_recipe_of_ones_own_replaces_a_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "duo.toml").write_text(GOOD)
    assert files.load("duo", tmp_path).name == "mine"
    assert files.load("moa-lite", tmp_path).calls == 7
    assert files.load(str(tmp_path / "duo.toml"), tmp_path / "nowhere").name == "mine"


def test_an_unknown_recipe_is_answered_with_the_nearest_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean moa-lite"):
        files.load("moa-light", tmp_path)
    with pytest.raises(UsageError, match="no recipe file at"):
        files.load("./nothing.toml", tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match=r"bad\.toml: not a UTF-8 text file"):
        files.read(path)
    with pytest.raises(FileError, match="cannot be read"):
        files.read(tmp_path / "missing.toml")


# Reasoning effort


def effort_recipe(defaults: str = "", glm: str = "") -> str:
    """A recipe whose agent qwen has the defaults, and whose agent glm has more of its own."""
    table = GOOD.replace("extra = { seed = 1 }", f"extra = {{ seed = 1 }}\n{defaults}")
    return table.replace("extra = { top_k = 5 }", glm)


def test_an_effort_is_an_agents_own_or_the_recipes() -> None:
    parsed = parse(effort_recipe('reasoning_effort = "low"', 'reasoning_effort = "high"'))
    assert [agent.reasoning_effort for agent in parsed.lineup[0][:2]] == ["low", "high"]
    assert parse(GOOD).lineup[0][0].reasoning_effort is None


@pytest.mark.parametrize("word", ['"extreme"', '"LOW"', '""', "3", "true"])
def test_what_is_no_effort_is_refused_by_naming_those_there_are(word: str) -> None:
    said = problem(effort_recipe(f"reasoning_effort = {word}"))
    assert "reasoning_effort" in said
    assert all(effort in said for effort in EFFORTS)


def test_an_effort_in_extra_is_the_same_setting() -> None:
    parsed = parse(effort_recipe("", 'extra = { reasoning_effort = "low", top_k = 5 }'))
    glm = parsed.lineup[0][1]
    assert (glm.reasoning_effort, glm.extra) == ("low", {"seed": 1, "top_k": 5})


def test_a_servers_own_word_for_an_effort_stays_in_extra_and_comes_before_the_recipes() -> None:
    parsed = parse(effort_recipe('reasoning_effort = "low"', 'extra = { reasoning_effort = "xhigh" }'))
    qwen, glm = parsed.lineup[0][:2]
    assert (qwen.reasoning_effort, qwen.extra) == ("low", {"seed": 1})
    assert (glm.reasoning_effort, glm.extra) == (None, {"seed": 1, "reasoning_effort": "xhigh"})


def test_two_efforts_of_one_agent_are_refused() -> None:
    said = problem(effort_recipe("", 'reasoning_effort = "low"\nextra = { reasoning_effort = "high" }'))
    assert "keep one of the two" in said
