"""A request that a server refuses for its form is made once more in the form it takes, and that is said."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.engine.values import Finish
from moa_tui.errors import ModelError
from moa_tui.gateway.accepted import Accepted, Form, parameters_of
from moa_tui.gateway.gateway import Gateway
from moa_tui.settings.config import Endpoint
from tests.hostile.raw_server import RawServer, chunk, ending, head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from moa_tui.engine.values import Message
    from moa_tui.gateway.thread import EngineThread
    from tests.hostile.raw_server import Asked

    Refuse = Callable[[dict[str, Any]], str | None]

ASK: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
ALL = {"temperature": 0.3, "top_p": 0.9, "max_tokens": 77, "extra": {"seed": 7}}


class Strict:
    """A server that refuses what `refuse` gives a reason for, and answers the rest."""

    def __init__(self, refuse: Refuse, status: str = "400 Bad Request") -> None:
        async def script(asked: Asked) -> AsyncIterator[bytes]:
            if (why := refuse(asked.json)) is not None:
                body = json.dumps({"error": {"message": why, "type": "invalid_request_error"}}).encode()
                yield head(status, "application/json", f"Content-Length: {len(body)}")
                yield body
            else:
                yield head()
                yield chunk("fine")
                yield ending()

        self.server = RawServer(script)

    def __enter__(self) -> RawServer:
        return self.server.__enter__()

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()


class Asking:
    """Asks one server again and again, as one program does."""

    def __init__(self, engine: EngineThread, server: RawServer, **endpoint: Any) -> None:
        self.engine = engine
        self.gateway = Gateway({"lab": Endpoint(base_url=f"{server.root}/v1", **endpoint)}, {})

    def __call__(
        self, messages: Sequence[Message] = ASK, model: str = "lab/x", **agent: Any
    ) -> tuple[str, tuple[str, ...]]:
        """The text and the notes of a reply."""

        async def call() -> tuple[str, tuple[str, ...]]:
            text, notes = "", ()
            async for piece in self.gateway.stream(Agent(model=model, **{**ALL, **agent}), messages):
                if isinstance(piece, Finish):
                    notes = piece.notes
                else:
                    text += piece.text
            return text, notes

        return self.engine.submit(call()).result(timeout=90)  # The first one imports litellm.


def refusing(*names: str, said: str = "Unsupported parameter: '{}' is not supported.") -> Refuse:
    return lambda body: next((said.format(name) for name in names if name in body), None)


def note(words: str, spared_by: str = "") -> tuple[str, ...]:
    advice = f" ({spared_by} in [endpoints.lab] spares the refusal)" if spared_by else ""
    return (f"its server {words}; it was asked again so{advice}",)


@pytest.mark.parametrize("name", ["stream_options", "temperature", "top_p", "seed"])
def test_a_parameter_is_left_out_once_it_is_refused(name: str, engine: EngineThread) -> None:
    with Strict(refusing(name)) as server:
        ask = Asking(engine, server)
        spared_by = "stream_options = false" if name == "stream_options" else ""
        assert ask() == ("fine", note(f"takes no {name}", spared_by))
        assert ask() == ("fine", ()), "said once"
        ask(model="lab/other")
    first, second, third, *others = (request.json for request in server.requests)
    assert (name in first, name in second, name in third) == (True, False, False)
    expected = {key: value for key, value in first.items() if key != name}
    assert second == third == expected, "nothing else is changed"
    assert name in others[0], "another model may take it"


def test_the_other_name_of_the_longest_answer_is_tried_and_then_neither(engine: EngineThread) -> None:
    said = (
        "Unsupported parameter: '{}' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    with Strict(refusing("max_tokens", said=said)) as server:
        ask = Asking(engine, server)
        assert ask()[1] == note("takes max_completion_tokens in the place of max_tokens")
        assert server.requests[1].json["max_completion_tokens"] == 77
        ask()
        assert server.requests[2].json["max_completion_tokens"] == 77
    with Strict(refusing("max_completion_tokens", said="{}: Extra inputs are not permitted")) as server:
        Asking(engine, server)(max_tokens=None, extra={"max_completion_tokens": 50})
        assert server.requests[1].json["max_tokens"] == 50
    with Strict(refusing("max_tokens", "max_completion_tokens")) as server:
        assert Asking(engine, server)()[0] == "fine"
        assert not {"max_tokens", "max_completion_tokens"} & server.requests[-1].json.keys()


def test_all_that_is_refused_one_by_one_is_met_and_said_together(engine: EngineThread) -> None:
    with Strict(refusing("stream_options", "temperature", "top_p")) as server:
        ask = Asking(engine, server)
        said = "takes no stream_options and takes no temperature and takes no top_p"
        assert ask() == ("fine", note(said, "stream_options = false"))
        assert ask() == ("fine", ())
    assert len(server.requests) == 5


def test_calls_side_by_side_learn_together_and_one_of_them_says_so(engine: EngineThread) -> None:
    with Strict(refusing("temperature")) as server:
        gateway = Asking(engine, server).gateway

        async def call(number: int) -> tuple[str, ...]:
            agent = Agent(model="lab/x", name=str(number), temperature=0.5)
            pieces = [piece async for piece in gateway.stream(agent, ASK)]
            assert isinstance(pieces[-1], Finish)
            return pieces[-1].notes

        async def all_calls() -> list[tuple[str, ...]]:
            return await asyncio.gather(*(call(number) for number in range(6)))

        notes = engine.submit(all_calls()).result(timeout=30)
        assert sorted(notes, key=len) == [*[()] * 5, note("takes no temperature")]
        asked = len(server.requests)
        engine.submit(call(7)).result(timeout=30)
        assert len(server.requests) == asked + 1


def test_what_two_calls_learned_apart_holds_for_the_next() -> None:
    accepted = Accepted()
    assert accepted.learn("s", "m", Form(left_out=frozenset(("seed",))))
    assert accepted.learn("s", "m", Form(has_system_role=False))
    assert not accepted.learn("s", "m", Form(left_out=frozenset(("seed",))))
    assert accepted.form("s", "m") == Form(frozenset(("seed",)), has_system_role=False)
    assert accepted.form("s", "other") == Form()


def test_what_is_still_refused_is_told_in_the_servers_words(engine: EngineThread) -> None:
    with Strict(lambda _: "Unsupported parameter: 'temperature' is not supported.") as server:
        ask = Asking(engine, server)
        for _ in range(2):
            with pytest.raises(ModelError, match="'temperature' is not supported"):
                ask()
    assert len(server.requests) == 4, "once more, and nothing was learned that did not help"


@pytest.mark.parametrize(
    "said", ["Invalid value for 'temperature'", "Unsupported parameter: 'messages'", "unknown field `stream`"]
)
def test_other_refusals_are_not_asked_again(said: str, engine: EngineThread) -> None:
    with Strict(lambda _: said) as server, pytest.raises(ModelError):
        Asking(engine, server)()
    assert len(server.requests) == 1


def test_what_changes_the_answer_is_not_left_out(engine: EngineThread) -> None:
    with Strict(refusing("response_format")) as server, pytest.raises(ModelError):
        Asking(engine, server)(extra={"response_format": {"type": "json_object"}})
    assert len(server.requests) == 1


WISH = {"type": "json_schema", "json_schema": {"name": "moa_tui_answer", "schema": {"type": "object"}}}


def test_a_schema_that_is_told_in_words_too_is_left_out_once_it_is_refused(engine: EngineThread) -> None:
    with Strict(refusing("response_format", said="This response_format type is unavailable now")) as server:
        ask = Asking(engine, server)
        text, notes = ask(extra={"response_format": WISH})
        assert text == "fine"
        assert any("takes no response_format with a JSON schema" in note for note in notes)
        assert ask(extra={"response_format": WISH}) == ("fine", ())
        assert ["response_format" in request.json for request in server.requests] == [True, False, False]
        with pytest.raises(ModelError):  # One that somebody wrote into a recipe is another matter.
            ask(extra={"response_format": {"type": "json_object"}})


@pytest.mark.parametrize(
    ("model", "is_held"),
    [
        ("openai/anything", True),
        ("ollama_chat/llama3", True),
        ("lm_studio/x", True),
        ("gemini/gemini-2.5-flash", True),
        ("anthropic/claude-sonnet-4-5", True),
        # litellm would have them call a tool, or answer in one piece.
        ("anthropic/claude-3-haiku-20240307", False),
        ("groq/llama-3.1-8b-instant", False),
        ("no such model", False),
    ],
)
def test_a_schema_goes_only_where_litellm_passes_it_on(model: str, is_held: bool) -> None:
    from moa_tui.gateway.thread import load_litellm_stream

    assert load_litellm_stream().holds_to_schema(model, None, WISH) is is_held


def no_system(body: dict[str, Any]) -> str | None:
    roles = [message["role"] for message in body["messages"]]
    return "System role not supported" if "system" in roles else alternating(body)


def alternating(body: dict[str, Any]) -> str | None:
    roles = [message["role"] for message in body["messages"] if message["role"] != "system"]
    expected = ["user", "assistant"] * len(roles)
    wrong = roles != expected[: len(roles)]
    return "After the optional system message, conversation roles must alternate" if wrong else None


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "422 Unprocessable Entity", "500 Internal Server Error"]
)
def test_a_system_message_that_is_refused_goes_before_the_first_prompt(
    status: str, engine: EngineThread
) -> None:
    talk: list[Message] = [
        *ASK,
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "and now?"},
    ]
    with Strict(no_system, status) as server:
        ask = Asking(engine, server)
        said = "takes no system message, so that stands before the first prompt"
        assert ask(talk) == ("fine", note(said, "system_role = false"))
        assert ask() == ("fine", ())
    assert server.requests[1].json["messages"] == [
        {"role": "user", "content": "Be brief.\n\nhello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "and now?"},
    ]
    assert len(server.requests) == 3


def test_messages_of_one_role_in_a_row_are_joined_where_that_is_refused(engine: EngineThread) -> None:
    talk: list[Message] = [*ASK, {"role": "user", "content": "are you there?"}]
    with Strict(alternating) as server:
        ask = Asking(engine, server)
        assert ask(talk)[1] == note("takes no two messages of one role in a row, so they were joined")
    assert server.requests[1].json["messages"] == [
        ASK[0],
        {"role": "user", "content": "hello\n\nare you there?"},
    ]


def test_an_error_in_the_midst_of_a_stream_that_began_well_counts_too(engine: EngineThread) -> None:
    """LM Studio answers 200 and then says so in an event (lmstudio-bug-tracker 1054)."""
    said = 'Error rendering prompt with jinja template: "Only user and assistant roles are supported!".'

    async def script(asked: Asked) -> AsyncIterator[bytes]:
        yield head()
        if asked.json["messages"][0]["role"] == "system":
            yield b"event: error\ndata: " + json.dumps({"error": {"message": said}}).encode() + b"\n\n"
        else:
            yield chunk("fine")
            yield ending()

    with RawServer(script) as server:
        assert Asking(engine, server)()[0] == "fine"


def test_the_config_spares_the_refused_request(engine: EngineThread) -> None:
    def both(body: dict[str, Any]) -> str | None:
        return no_system(body) or refusing("stream_options")(body)

    with Strict(both) as server:
        ask = Asking(engine, server, stream_options=False, system_role=False)
        assert ask() == ("fine", ()), "and says nothing of what the user has set up"
    assert len(server.requests) == 1


def test_a_form_changes_nothing_but_what_it_says() -> None:
    given = parameters_of(Agent(model="x", **ALL))
    assert Form().parameters(given) == given
    assert Form().messages(ASK) == ASK
    alone: list[Message] = [ASK[0]]
    assert Form(has_system_role=False).messages(alone) == [{"role": "user", "content": "Be brief."}]
    assert Form(has_system_role=False).messages(ASK[1:]) == ASK[1:]


# Addresses


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("", "/v1"),
        ("/", "/v1"),
        ("/api", "/api/v1"),
        ("/v1/chat/completions", "/v1"),
        ("/v1/chat/completions/", "/v1"),
        ("/v1/completions", "/v1"),
        ("/v1/v1", "/v1"),
        ("/chat/completions", "/v1"),
    ],
)
@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed"])
def test_an_address_that_is_not_there_says_what_to_write(
    path: str, right: str, status: str, engine: EngineThread
) -> None:
    with Strict(lambda _: "Not Found", status) as server:
        ask = Asking(engine, server)
        ask.gateway = Gateway({"lab": Endpoint(base_url=server.root + path)}, {})
        with pytest.raises(ModelError) as caught:
            ask()
    said = f"Not Found; is the address right? Write {server.root}{right} as base_url of [endpoints.lab]"
    assert caught.value.message == said


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1beta/openai", "/api/v3"])
def test_an_address_that_may_be_right_is_left_alone(path: str, engine: EngineThread) -> None:
    with Strict(lambda _: "Not Found", "404 Not Found") as server:
        ask = Asking(engine, server)
        ask.gateway = Gateway({"lab": Endpoint(base_url=server.root + path)}, {})
        with pytest.raises(ModelError) as caught:
            ask()
    assert caught.value.message == "Not Found"
    assert "//chat" not in server.requests[0].line


def test_a_server_that_tells_an_unknown_address_with_a_good_status(engine: EngineThread) -> None:
    """LM Studio answers 200 and names the path that it does not know."""

    async def script(_: Asked) -> AsyncIterator[bytes]:
        yield head("200 OK", "application/json")
        yield b'{"error":"Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway"}'

    with RawServer(script) as server:
        ask = Asking(engine, server)
        ask.gateway = Gateway({"lab": Endpoint(base_url=server.root)}, {})
        with pytest.raises(ModelError) as caught:
            ask()
    assert "Unexpected endpoint or method" in caught.value.message
    assert f"Write {server.root}/v1 as base_url" in caught.value.message


def test_a_model_that_is_not_there_is_no_wrong_address(engine: EngineThread) -> None:
    with Strict(lambda _: "The model `x` does not exist", "404 Not Found") as server:
        ask = Asking(engine, server)
        ask.gateway = Gateway({"lab": Endpoint(base_url=server.root)}, {})
        with pytest.raises(ModelError) as caught:
            ask()
    assert caught.value.message == "The model `x` does not exist"


def test_a_server_that_says_it_expects_tls_is_given_it(engine: EngineThread) -> None:
    """nginx answers 400 to plain http at its https port."""
    said = "400 The plain HTTP request was sent to HTTPS port"
    with Strict(lambda _: said) as server, pytest.raises(ModelError) as caught:
        Asking(engine, server)()
    assert f"write {server.root.replace('http', 'https')}/v1 as base_url" in caught.value.message


def test_ollamas_own_protocol_has_no_version_in_its_addresses(engine: EngineThread) -> None:
    with Strict(lambda _: "404 page not found", "404 Not Found") as server:
        ask = Asking(engine, server)
        with pytest.raises(ModelError) as caught:
            ask(model="ollama_chat/x", api_base=f"{server.root}/v1")
    assert caught.value.message.endswith(f"Write {server.root} as api_base")


# The context window


def test_a_limit_that_a_refusal_states_is_kept_for_the_model(engine: EngineThread) -> None:
    said = "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens"
    with Strict(lambda _: said) as server:
        ask = Asking(engine, server)
        assert ask.gateway.facts(Agent(model="lab/x")).context_tokens is None
        with pytest.raises(ModelError) as caught:
            ask()
        assert (caught.value.kind, caught.value.context_tokens) == ("context", 4096)
        assert ask.gateway.facts(Agent(model="lab/x")).context_tokens == 4096
        assert ask.gateway.facts(Agent(model="lab/y")).context_tokens is None
        configured = Asking(engine, server, context_tokens=2048)
        with pytest.raises(ModelError):
            configured()
        assert configured.gateway.facts(Agent(model="lab/x")).context_tokens == 2048


def test_an_effort_that_is_refused_is_left_out_from_then_on(engine: EngineThread) -> None:
    """Ollama's own words, in which the effort has another name than it was sent by."""

    def refuse(sent: dict[str, Any]) -> str | None:
        return '"x" does not support thinking' if "reasoning_effort" in sent else None

    with Strict(refuse) as server:
        ask = Asking(engine, server)
        text, notes = ask(reasoning_effort="low")
        assert (text, len(server.requests)) == ("fine", 2)
        assert any("takes no reasoning_effort" in note for note in notes)
        assert server.requests[0].json["reasoning_effort"] == "low"
        assert server.requests[1].json["max_tokens"] == ALL["max_tokens"], "nothing else is left out"
        assert ask(reasoning_effort="low") == ("fine", ())
        assert len(server.requests) == 3


def test_an_effort_that_is_refused_says_nothing_of_another(engine: EngineThread) -> None:
    """OpenRouter's words for a model that cannot be kept from thinking."""

    def refuse(sent: dict[str, Any]) -> str | None:
        return "Reasoning is mandatory for this endpoint" if sent.get("reasoning_effort") == "none" else None

    with Strict(refuse) as server:
        ask = Asking(engine, server)
        text, notes = ask(reasoning_effort="none")
        assert text == "fine"
        assert any("takes no reasoning_effort = none" in note for note in notes)
        assert ask(reasoning_effort="high") == ("fine", ())
        assert [request.json.get("reasoning_effort") for request in server.requests] == ["none", None, "high"]
