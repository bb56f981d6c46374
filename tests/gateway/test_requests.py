"""What really goes over the wire: how many requests, in what order, and what each carries."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.conversation import Turn, history
from moa_tui.engine.agent import Agent
from moa_tui.engine.answer_form import with_answer_form
from moa_tui.engine.values import CallId
from moa_tui.errors import MissingKeyError, UsageError
from moa_tui.gateway.gateway import Gateway
from moa_tui.settings.config import Endpoint
from tests.gateway.helpers import sent_text
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.engine.recipe import Recipe
    from tests.gateway.conftest import Bench


BIRD = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


def moa() -> Recipe:
    """Six proposers, three layers: the paper's shape."""

    def layer(number: int) -> list[dict[str, str]]:
        return [{"model": f"lab/ok@n=8,ttft=0.3,key=L{number}-{index}"} for index in range(6)]

    return recipe(layer(1), layer(2), [{"model": "lab/ok@n=8,key=final"}])


def test_moa_makes_thirteen_requests_and_each_carries_what_it_should(bench: Bench) -> None:
    outcome = bench.run(moa(), "What is a moa?")
    requests = bench.server.requests
    assert len(requests) == 13
    layers = [[r for r in requests if r.key.startswith(f"L{number}")] for number in (1, 2)]
    final = next(r for r in requests if r.key == "final")
    answers = [
        [reply.text.strip() for call, reply in outcome.replies.items() if call.layer == number]
        for number in (1, 2)
    ]
    assert len(set(answers[0] + answers[1])) == 12, "every answer is its own"
    for request in layers[0]:
        assert sent_text(request) == "What is a moa?"
    for request in layers[1]:
        assert all(answer in sent_text(request) for answer in answers[0])
        assert request.body["messages"][-1]["content"].startswith("What is a moa?\n\n")
    assert all(answer in sent_text(final) for answer in answers[1])
    assert not any(answer in sent_text(final) for answer in answers[0])
    assert max(r.ended or 0 for r in layers[0]) <= min(r.started for r in layers[1])
    assert max(r.ended or 0 for r in layers[1]) <= final.started
    assert max(r.started for r in layers[0]) < min(r.ended or 0 for r in layers[0]), "side by side"
    assert outcome.answer.startswith("answer-13-final ")


def test_the_second_turn_carries_only_the_final_answer_of_the_first(bench: Bench) -> None:
    first = Turn("first question", moa())
    outcome = bench.run(moa(), history=history(first))
    answered = Turn("first question", moa(), outcome)
    bench.run(moa(), history=history(Turn("second question", moa(), parent=answered, system="Be brief.")))
    proposers = [reply.text.strip() for call, reply in outcome.replies.items() if call.layer < 3]
    assert len(bench.server.requests) == 26
    for request in bench.server.requests[13:]:
        talk = [m for m in request.body["messages"] if m["role"] != "system"]
        assert [m["content"] for m in talk[:-1]] == ["first question", outcome.answer]
        assert talk[-1]["content"].partition("\n\n")[0] == "second question"
        assert not any(text in sent_text(request) for text in proposers)
        assert sent_text(request).startswith("Be brief.")


def test_each_turns_requests_begin_with_the_bytes_of_the_turn_before(bench: Bench) -> None:
    """So a provider's cache, llama.cpp's and Ollama's find what they have read already."""
    terse = {"model": "lab/ok@n=30,key=final", "system": "You are terse."}
    closing = {"agents": [{"model": f"lab/ok@n=30,key={name}"} for name in "ab"], "enough": 1.0}
    this = recipe(closing, [{"model": "lab/ok@n=30,key=mid"}], [terse])
    turn: Turn | None = None
    sent: dict[str, str] = {}
    for number in range(4):
        turn = Turn(f"Question {number}?", this, parent=turn, system="Be brief.")
        turn = replace(turn, outcome=bench.run(this, history=history(turn)))
        for request in bench.server.requests[number * 4 :]:
            messages = json.dumps(request.body["messages"])
            # All but the last message, and of that the prompt: what follows is new in every turn.
            kept = messages.partition(f"Question {number}?")[0] + f"Question {number}?"
            assert messages.startswith(sent.get(request.key, "")), request.key
            sent[request.key] = kept
    assert len(sent) == 4
    systems = {request.body["messages"][0]["content"] for request in bench.server.requests}
    assert systems == {"Be brief.", "Be brief.\n\nYou are terse."}


def test_a_server_that_refuses_a_system_role_is_asked_once_where_there_is_none(bench: Bench) -> None:
    """References, instructions and closing lines stand in the user's message."""
    this = recipe({"agents": ["lab/ok@key=a", "lab/ok@key=b"], "enough": 1.0}, ["lab/ok@key=final"])
    bench.run(this)
    roles = [[message["role"] for message in request.body["messages"]] for request in bench.server.requests]
    assert roles == [["user"]] * 3


def test_settings_reach_the_server(bench: Bench) -> None:
    agent = {
        "model": "lab/ok",
        "temperature": 0.3,
        "top_p": 0.9,
        "max_tokens": 77,
        "extra": {"seed": 7},
        "system": "You are terse.",
    }
    bench.run(recipe([agent]))
    body = bench.server.requests[0].body
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["seed"]) == (0.3, 0.9, 77, 7)
    assert body["model"] == "ok"
    assert body["stream_options"] == {"include_usage": True}
    assert body["messages"][0] == {"role": "system", "content": "You are terse."}
    bench.run(recipe([{"model": "lab/ok"}]))
    assert not {"temperature", "top_p", "max_tokens"} & bench.server.requests[1].body.keys()


def test_the_endpoints_own_limit_on_calls_at_once_holds(bench: Bench) -> None:
    lab = bench.gateway._endpoints["lab"].model_copy(update={"concurrency": 2})
    bench.gateway = Gateway({"lab": lab}, bench.environ)
    bench.run(recipe([{"model": "lab/ok@ttft=0.1", "count": 6}], [{"model": "lab/ok"}]))
    proposers = bench.server.requests[:6]
    for request in proposers:
        at_once = [r for r in proposers if r.started <= request.started < (r.ended or 0)]
        assert len(at_once) <= 2


def test_an_ollama_server_is_spoken_to_in_its_own_protocol(bench: Bench) -> None:
    agent = {"model": "ollama_chat/ok", "api_base": bench.server.root_url, "extra": {"num_ctx": 16384}}
    outcome = bench.run(recipe([agent]))
    assert outcome.answer.startswith("answer-1-")
    assert outcome.cost == 0.0
    assert bench.server.requests[0].body["options"]["num_ctx"] == 16384


@pytest.mark.parametrize(
    ("model", "path", "is_sent"),
    [
        ("ollama_chat/ok", "", lambda body: body["format"] == BIRD),
        ("lm_studio/ok", "/v1", lambda body: body["response_format"]["json_schema"]["schema"] == BIRD),
        ("openai/ok", "/v1", lambda body: body["response_format"]["json_schema"]["strict"] is True),
    ],
)
def test_a_schema_is_sent_in_each_servers_own_way(
    model: str, path: str, is_sent: Callable[[dict[str, Any]], bool], bench: Bench
) -> None:
    agent = {"model": model, "api_base": f"{bench.server.root_url}{path}", "api_key_env": "LAB_KEY"}
    asked = with_answer_form(recipe([agent]), BIRD)
    bench.gateway.allow_once(asked)
    assert bench.run(asked).status == "done"
    (request,) = bench.server.requests
    assert is_sent(request.body)
    assert json.dumps(BIRD, separators=(",", ":")) in request.body["messages"][0]["content"]


def test_a_missing_key_is_told_before_any_call_is_made(bench: Bench) -> None:
    bench.environ.clear()
    models = ("lab/ok", "gpt-6-luna", "groq/openai/gpt-oss-20b")
    keyless = recipe(
        [{"model": model} for model in models],
        ["x"],
        agents={"x": {"model": "custom/y", "api_key_env": "MY_KEY"}},
    )
    with pytest.raises(MissingKeyError) as caught:
        bench.run(keyless)
    for name in ("LAB_KEY", "OPENAI_API_KEY", "GROQ_API_KEY", "MY_KEY"):
        assert name in str(caught.value)
    assert not bench.server.requests


def test_a_key_that_only_litellm_knows_of_is_told_before_any_call_too(bench: Bench) -> None:
    keyless = recipe([{"model": "huggingface/some/model"}, {"model": "lab/ok"}], [{"model": "lab/ok"}])
    bench.gateway.allow_once(keyless)
    with pytest.raises(MissingKeyError, match="HUGGINGFACE_API_KEY"):
        bench.run(keyless)
    assert not bench.server.requests


def test_a_providers_key_is_not_sent_to_another_server(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.setenv(name, "sk-the-real-one")
        bench.environ[name] = "sk-the-real-one"
    for model in ("openai/ok", "mistral/ok"):
        bench.run(recipe([{"model": model, "api_base": bench.server.url}]))
    assert len(bench.server.requests) == 2
    assert not any("sk-the-real-one" in str(request.headers) for request in bench.server.requests)


def test_a_key_is_read_from_the_variable_the_agent_names(bench: Bench) -> None:
    bench.environ["MY_KEY"] = "sk-of-my-own"
    named = recipe([{"model": "openai/ok", "api_base": bench.server.url, "api_key_env": "MY_KEY"}])
    bench.gateway.allow_once(named)
    bench.run(named)
    assert bench.server.requests[0].headers["authorization"] == "Bearer sk-of-my-own"
    bench.run(recipe([{"model": "lab/ok"}]))
    assert bench.server.requests[1].headers["authorization"] == "Bearer sk-canary-5f1d7c"


def test_a_server_on_this_machine_costs_nothing_whatever_its_models_are_called(bench: Bench) -> None:
    bench.server.script = {}
    outcome = bench.run(recipe([{"model": "lab/gpt-6-luna@x"}, {"model": "lab/ok"}], [{"model": "lab/ok"}]))
    assert (outcome.cost, outcome.local) == (0.0, True)
    own = bench.run(recipe([{"model": "openai/ok", "api_base": bench.server.url}]))
    assert (own.cost, own.local) == (0.0, True)


def test_a_call_here_that_fails_or_ends_before_any_text_costs_nothing_either(bench: Bench) -> None:
    outcome = bench.run(recipe([{"model": "lab/empty"}, {"model": "lab/ok"}], [{"model": "lab/ok"}]))
    assert outcome.replies[CallId(1, 1)].status == "failed"
    assert (outcome.cost, outcome.local) == (0.0, True)


def test_a_server_that_hands_calls_on_has_no_known_price(bench: Bench) -> None:
    endpoint = Endpoint(base_url=bench.server.url, key_env="LAB_KEY", charges=True)
    bench.gateway = Gateway({"lab": endpoint}, bench.environ)
    outcome = bench.run(recipe([{"model": "lab/ok"}]))
    assert (outcome.cost, outcome.local) == (None, False)


@pytest.mark.parametrize("address", ["http://192.168.1.20:8000/v1", "https://models.example/v1"])
def test_a_server_elsewhere_has_no_known_price(address: str) -> None:
    gateway = Gateway({"far": Endpoint(base_url=address)}, {})
    for agent in (Agent(model="far/gpt-6-luna"), Agent(model="openai/x", api_base=address)):
        facts = gateway.facts(agent)
        assert (facts.prompt_price, facts.completion_price, facts.is_local) == (None, None, False)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.1", "localhost.", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_server_on_this_machine_is_free_in_whatever_notation(host: str) -> None:
    address = f"http://{host}:8000/v1"
    gateway = Gateway({"here": Endpoint(base_url=address)}, {})
    for agent in (Agent(model="here/x"), Agent(model="openai/x", api_base=address)):
        assert (gateway.facts(agent).prompt_price, gateway.facts(agent).is_local) == (0.0, True)


def test_ollama_is_local_only_on_this_machine() -> None:
    here, elsewhere = Gateway({}, {}), Gateway({}, {"OLLAMA_API_BASE": "http://192.168.1.20:11434"})
    agent = Agent(model="ollama/llama3.2")
    assert (here.facts(agent).prompt_price, here.facts(agent).is_local) == (0.0, True)
    assert (elsewhere.facts(agent).prompt_price, elsewhere.facts(agent).is_local) == (0.0, False)


def test_an_agent_cannot_name_two_servers(bench: Bench) -> None:
    with pytest.raises(UsageError, match="keep one of the two"):
        bench.run(recipe([{"model": "lab/ok", "api_base": "http://127.0.0.1:9/v1"}]))


def test_any_variable_that_holds_a_key_is_masked(bench: Bench) -> None:
    bench.environ |= {"SOME_PROXY_TOKEN": "sk-canary", "LAB_KEY": "sk-canary-5f1d7c"}
    outcome = bench.run(recipe([{"model": "lab/leak"}]))
    assert outcome.error is not None
    assert "[LAB_KEY]" in outcome.error.message
    assert "5f1d7c" not in outcome.error.message
    bench.environ |= {"MY_SECRET": "Incorrect API key"}
    assert "[MY_SECRET]" in str(bench.run(recipe([{"model": "lab/http401"}])).error)


def test_a_key_with_a_line_end_is_sent_without_it(bench: Bench) -> None:
    bench.environ["LAB_KEY"] = "sk-with-newline\n"
    assert bench.run(recipe([{"model": "lab/ok"}])).status == "done"
    assert bench.server.requests[0].headers["authorization"] == "Bearer sk-with-newline"


@pytest.mark.parametrize("mode", ["leak", "leak_stream"])
def test_a_key_the_server_repeats_is_in_no_event(mode: str, bench: Bench) -> None:
    outcome = bench.run(recipe([{"model": f"lab/{mode}"}, {"model": "lab/ok"}], [{"model": "lab/ok"}]))
    assert "sk-canary-5f1d7c" in bench.server.requests[0].headers["authorization"] or (
        "sk-canary-5f1d7c" in bench.server.requests[1].headers["authorization"]
    )
    everything = repr(bench.events) + repr(outcome)
    assert "sk-canary-5f1d7c" not in everything
    assert "[LAB_KEY]" in everything
