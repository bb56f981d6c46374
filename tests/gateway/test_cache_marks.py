"""Marks up to which Anthropic's models cache: where they stand, where they pay, and who is never sent any."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.conversation import Turn, history
from moa_tui.engine.agent import Agent
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId, Usage, paid
from moa_tui.gateway.accepted import PLAIN, change_for
from moa_tui.gateway.cache_marks import CacheMarks
from moa_tui.gateway.catalog import Catalog
from moa_tui.gateway.error_reply import error_reply
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.refusals import CACHE_MARKS, not_taken
from tests.gateway.test_accepted import Strict
from tests.helpers import recipe
from tests.hostile.raw_server import RawServer, head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message, Outcome
    from moa_tui.gateway.thread import EngineThread
    from tests.hostile.raw_server import Asked

CLAUDE = "anthropic/claude-sonnet-4-5"
LONG = "A long document about the moa. " * 300
"""About 2,000 tokens; a model of CLAUDE's kind caches 1,024 and more."""
ANSWER = "The moa was a bird. " * 40


def blocks(body: dict[str, Any]) -> list[tuple[str, bool]]:
    """The text of each part of a request in Anthropic's protocol, and whether it is marked."""
    parts = [body.get("system") or [], *(message["content"] for message in body["messages"])]
    flat = [
        part for content in parts for part in ([{"text": content}] if isinstance(content, str) else content)
    ]
    return [(part["text"], "cache_control" in part) for part in flat]


class CachingServer(RawServer):
    """Anthropic's protocol, with a cache like the provider's; a character is a token.

    A prefix is kept that ends with a mark, and found again where a mark stands behind it.
    """

    def __init__(self) -> None:
        self.kept: set[str] = set()
        super().__init__(self._reply)

    async def _reply(self, asked: Asked) -> AsyncIterator[bytes]:
        parts = blocks(asked.json)
        prefixes = ["".join(text for text, _ in parts[:end]) for end in range(1, len(parts) + 1)]
        marked = [prefix for prefix, (_, is_marked) in zip(prefixes, parts, strict=True) if is_marked]
        longest = len(marked[-1]) if marked else 0
        read = max((len(prefix) for prefix in prefixes if prefix in self.kept), default=0) if marked else 0
        self.kept.update(marked)
        usage = {
            "input_tokens": len(prefixes[-1]) - longest,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": longest - read,
            "output_tokens": 1,
        }
        text = {"type": "text_delta", "text": ANSWER}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {"id": "m", "role": "assistant", "usage": usage}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": text},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
            {"type": "message_stop"},
        ]
        yield head()
        for event in events:
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


@pytest.fixture
def server() -> Iterator[CachingServer]:
    with CachingServer() as server:
        yield server


def gateway_to(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """A gateway whose environment moves the addresses of two providers, of which litellm reads as well."""
    for provider, base in (("ANTHROPIC", server.root), ("OPENROUTER", f"{server.root}/v1")):
        monkeypatch.setenv(f"{provider}_API_BASE", base)
        monkeypatch.setenv(f"{provider}_API_KEY", "sk-canary-marks-11")
    return Gateway({}, os.environ)


def asked(engine: EngineThread, gateway: Gateway, this: Recipe, messages: Sequence[Message]) -> Outcome:
    async def whole() -> Outcome:
        await gateway.prepare(this)
        return await run(this, messages, gateway.stream, lambda _: None)

    return engine.submit(whole()).result(timeout=90)  # The first one imports litellm.


def test_a_later_layer_reads_what_the_first_has_written(
    engine: EngineThread, server: CachingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    this = recipe([CLAUDE], [CLAUDE], loop_guard=False)
    gateway = gateway_to(server, monkeypatch)
    outcome = asked(engine, gateway, this, [{"role": "user", "content": LONG}])
    first, second = (outcome.replies[CallId(layer, 1)] for layer in (1, 2))
    assert [blocks(request.json) for request in server.requests[:1]] == [[(LONG, True)]]
    prompt, rest = blocks(server.requests[1].json)
    assert prompt == (LONG, True)
    assert (ANSWER in rest[0], rest[1]) == (True, False), "references are marked for nobody"
    assert first.usage == Usage(len(LONG), 9, False, 0, len(LONG))
    assert second.usage.cached_tokens == len(LONG)
    assert second.usage.cache_write_tokens == 0

    # The price is exact: what is written costs 1.25 times the price of any other token, what is read a tenth.
    facts = gateway.facts(Agent(model=CLAUDE))
    assert facts.prompt_price and facts.completion_price
    fresh = second.usage.prompt_tokens - len(LONG)
    in_tokens = 1.25 * len(LONG) + 0.1 * len(LONG) + fresh
    expected = in_tokens * facts.prompt_price + 18 * facts.completion_price
    assert outcome.cost == pytest.approx(expected, rel=1e-9)
    assert outcome.usage == paid(outcome.replies.values()).usage
    assert outcome.usage.cached_tokens == outcome.usage.cache_write_tokens == len(LONG)


def test_the_next_turn_reads_the_conversation(
    engine: EngineThread, server: CachingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    this = recipe(["c"], ["c"], agents={"c": {"model": CLAUDE, "system": LONG[:5_000]}}, loop_guard=False)
    gateway = gateway_to(server, monkeypatch)
    turn = Turn("What is a moa? " + LONG, this)
    outcome = asked(engine, gateway, this, history(turn))
    turn = Turn(turn.prompt, this, outcome)
    outcome = asked(engine, gateway, this, history(Turn("And a kiwi?", this, parent=turn)))
    request = server.requests[2]
    parts = blocks(request.json)
    assert [is_marked for _, is_marked in parts] == [True, False, True, True], "system, history and prompt"
    usage = outcome.replies[CallId(1, 1)].usage
    assert usage.cached_tokens == len(parts[0][0]) + len(parts[1][0])
    for request in server.requests:
        assert sum(is_marked for _, is_marked in blocks(request.json)) <= 4


def test_what_a_first_turn_writes_for_nobody_is_not_marked(
    engine: EngineThread, server: CachingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six samples of a model and one call that reads them would pay 9 % more for the prompt, not less."""
    this = recipe([{"model": CLAUDE, "count": 6}], [CLAUDE], loop_guard=False)
    outcome = asked(engine, gateway_to(server, monkeypatch), this, [{"role": "user", "content": LONG}])
    assert not any(is_marked for request in server.requests for _, is_marked in blocks(request.json))
    assert outcome.usage.cache_write_tokens == 0


def marks(model: str, messages: Sequence[Message], provider: str | None) -> list[bool]:
    """Which messages have a mark."""
    marked = CacheMarks(Catalog()).marked(Agent(model=model), messages, provider=provider)
    return [not isinstance(message["content"], str) for message in marked]


TALK: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": LONG},
    {"role": "assistant", "content": ANSWER},
    {"role": "user", "content": "And now?"},
]


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        (CLAUDE, "anthropic", True),
        ("openrouter/anthropic/claude-sonnet-4.5", "openrouter", True),
        ("vertex_ai/claude-sonnet-4-5", "vertex_ai-anthropic_models", True),
        ("bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", True),
        ("openrouter/google/gemini-2.5-pro", "openrouter", False),
        ("gemini/gemini-2.5-pro", "gemini", False),
        ("vertex_ai/gemini-2.5-pro", "vertex_ai-language-models", False),
        ("gpt-5.6", "openai", False),
        ("openai/claude-sonnet-4-5", "openai", False),
        ("lab/claude-sonnet-4-5", None, False),
        ("anthropic/deepseek-chat", "anthropic", False),
    ],
)
def test_only_models_of_anthropics_are_sent_marks_and_only_where_they_are_passed_on(
    model: str, provider: str | None, expected: bool
) -> None:
    assert marks(model, TALK, provider) == [False, False, expected, expected]


def test_who_answers_later_than_the_cache_keeps_pays_for_no_writing() -> None:
    now = 1_000.0
    cache = CacheMarks(Catalog(), lambda: now)
    alone, twice = recipe([CLAUDE]), recipe([CLAUDE], [CLAUDE])

    def is_marked(this: Recipe) -> bool:
        cache.expect(this)
        messages = cache.marked(Agent(model=CLAUDE), TALK, provider="anthropic")
        return any(not isinstance(message["content"], str) for message in messages)

    assert is_marked(alone), "nothing is known of the pace yet"
    now += 299
    assert is_marked(alone)
    now += 301
    assert not is_marked(alone)
    now += 301
    assert is_marked(twice), "within the run it is read again"
    now += 299
    assert is_marked(alone)


def test_a_short_conversation_is_not_marked_for_it_is_not_cached() -> None:
    short = [*TALK[:1], {"role": "user", "content": "What is a moa?"}, *TALK[2:]]
    assert not any(marks(CLAUDE, short, "anthropic"))
    # What one model caches is too short for another: 4,096 tokens for this one.
    assert not any(marks("anthropic/claude-haiku-4-5", TALK, "anthropic"))


def test_references_of_an_unknown_prompt_are_left_out_of_what_is_cached() -> None:
    fenced = f'{LONG}\n\nMerge.\n\n<reference number="1">\nx\n</reference>'
    talk: list[Message] = [*TALK[:-1], {"role": "user", "content": fenced}]
    assert marks(CLAUDE, talk, "anthropic") == [False, False, True, False]


@pytest.mark.parametrize(
    "words",
    [
        "You invoked an unsupported model or your request did not allow prompt caching.",
        "#/messages/6/content/0: extraneous key [cachePoint] is not permitted, please reformat your input",
        "messages.0.content.0.text.cache_control.ephemeral.ttl: Extra inputs are not permitted",
        "messages.1.content.0.cache_control: Extra inputs are not permitted",
        "{'loc': ('body', 'messages', 0, 'cache_control'), 'msg': 'Extra inputs are not permitted'}",
        "'messages.0' : for 'role:user' property 'cache_control' is unsupported",
    ],
)
def test_a_refusal_of_marks_is_read(words: str) -> None:
    assert CACHE_MARKS in not_taken(400, words)


def test_bedrock_refuses_marks_as_if_they_were_forbidden() -> None:
    """Some of its models do so with 403 (litellm's pull request 39210), and answer where there are none."""
    words = "You invoked an unsupported model or your request did not allow prompt caching."
    refused = error_reply(403, {}, words.encode(), was_cut=False)
    change = change_for(refused, PLAIN, {}, [{"role": "user", "content": "Hi"}])
    assert change is not None
    assert not change.form.takes_cache_marks
    words = "You do not have access to the model. Unsupported parameter: 'temperature'"
    refused = error_reply(403, {}, words.encode(), was_cut=False)
    assert change_for(refused, PLAIN, {"temperature": 1}, []) is None


def test_marks_that_are_refused_are_left_out_from_then_on_and_that_is_said_once(
    engine: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "messages.1.content.0.cache_control: Extra inputs are not permitted"

    def refuse(body: dict[str, Any]) -> str | None:
        return said if "cache_control" in json.dumps(body) else None

    this = recipe([CLAUDE], retries=0)
    with Strict(refuse) as server:
        gateway = gateway_to(server, monkeypatch)
        replies = [asked(engine, gateway, this, TALK).replies[CallId(1, 1)] for _ in range(2)]
    assert [reply.text.strip() for reply in replies] == ["fine", "fine"]
    assert len(server.requests) == 3
    notes = [[note for note in reply.notes if "cache_control" in note] for reply in replies]
    assert notes == [
        [
            f"{CLAUDE}: its server takes no cache_control, so its prompts are not cached; "
            "it was asked again so"
        ],
        [],
    ]


def test_marks_reach_openrouter_for_claude_and_for_nobody_else(
    engine: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(gateway: Gateway, model: str) -> None:
        async for _ in gateway.stream(Agent(model=model), TALK):
            pass

    with Strict(lambda _: None) as server:
        gateway = gateway_to(server, monkeypatch)
        for model in ("openrouter/anthropic/claude-sonnet-4.5", "openrouter/google/gemini-2.5-pro"):
            engine.submit(ask(gateway, model)).result(timeout=90)
    claude, gemini = (request.json["messages"] for request in server.requests)
    mark = {"type": "ephemeral"}
    assert claude == [
        *TALK[:2],
        {"role": "assistant", "content": [{"type": "text", "text": ANSWER, "cache_control": mark}]},
        {"role": "user", "content": [{"type": "text", "text": "And now?", "cache_control": mark}]},
    ]
    assert gemini == TALK
