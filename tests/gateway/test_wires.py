"""The fault table over each provider's native wire, over real HTTP through the real litellm."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine import limits
from moa_tui.engine.events import CallRetried
from moa_tui.engine.values import CallId
from tests.gateway.wire_cases import CASES, CHAT, OWN
from tests.helpers import recipe
from tests.model_server import WORDS, Spec
from tests.wires import WIRES, WireServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Reply
    from tests.gateway.conftest import Bench
    from tests.gateway.wire_cases import Case
    from tests.model_server import Request

KEY = "sk-canary-of-the-wires-77aa11"
LIMITS = {"first_token_seconds": 30.0, "idle_seconds": 30.0, "total_seconds": 60.0, "retries": 1}
SHORT = {"first_token_seconds": 1.0}
QUIET = {"idle_seconds": 0.6}
LIMITS_OF = {"hang_connect": SHORT, "hang_headers": SHORT, "hang": QUIET, "keepalive_hang": QUIET}

# What belongs to a program and not to its messages: a Python value, JSON, an exception's name, a traceback.
NOT_FOR_USERS = re.compile(
    r"""b'|\{["']|\[\{|litellm|Traceback|KeyError|Exception\b|[a-z]Error\b|invalid literal|codec can't""",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def running_server() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 0.02)


def asking(bench: Bench, wire: str, mode: str) -> Recipe:
    """One agent of the wire's provider, led to the test's server and given a key of its own."""
    bench.environ["WIRE_KEY"] = KEY
    spoken = WIRES[wire]
    base = spoken.base_url(bench.server)
    agent = {"model": spoken.model(mode), "api_base": base, "api_key_env": "WIRE_KEY"}
    asked = recipe([agent], **{**LIMITS, **LIMITS_OF.get(Spec.parse(mode).mode, {})})
    bench.gateway.allow_once(asked)
    return asked


def ask(bench: Bench, wire: str, mode: str) -> Reply:
    return bench.run(asking(bench, wire, mode)).replies[CallId(1, 1)]


def whole_text(request: Request) -> str:
    """All that the server's mode says in its answer to `request`."""
    spec = Spec.parse(request.model)
    words = ["naïve→日本🦊" if spec.mode == "split_utf8" else WORDS[i % len(WORDS)] for i in range(spec.n)]
    said = "".join(word + " " for word in words)
    return f"answer-{request.number}-{spec.key or spec.mode} {said}"


@pytest.mark.parametrize(("wire", "case"), CASES, ids=[case.name(wire) for wire, case in CASES])
def test_case(wire: str, case: Case, bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    reply = ask(bench, wire, case.mode)
    requests = bench.server.requests
    error = reply.error
    said = error.message if error else ""

    assert (reply.status, error.kind if error else None) == (case.status, case.kind), error
    assert (error.status_code if error else None) == case.code
    assert (reply.attempts, len(requests)) == (case.attempts, reply.attempts), "each attempt is one request"
    assert case.said in said
    assert not NOT_FOR_USERS.search(said), said
    assert any(case.noted in note for note in reply.notes) or not case.noted
    if case.text != "any":
        texts = {"whole": whole_text(requests[-1]), "none": ""}
        assert reply.text == texts.get(case.text, case.text)
    assert reply.reasoning == case.reasoning
    assert reply.finish_reason == case.reason
    if reply.status == "done":
        assert reply.usage.estimated == case.estimated
        assert case.estimated or reply.usage.completion_tokens == requests[-1].sent_chunks
    assert KEY not in repr(bench.events) + repr(reply), "no key is shown, whoever repeats it"
    assert capfd.readouterr() == ("", ""), "nothing is printed but what is ours"


@pytest.mark.parametrize("wire", OWN)
def test_the_key_and_the_messages_reach_the_provider_in_its_own_place(wire: str, bench: Bench) -> None:
    ask(bench, wire, "ok@n=1")
    (request,) = bench.server.requests
    assert KEY in request.headers[WIRES[wire].reply.key_header]
    assert "hello" in str(request.body)


@pytest.mark.parametrize("wire", CHAT)
def test_the_wait_that_a_provider_asks_for_is_kept(wire: str, bench: Bench) -> None:
    """Gemini writes it into the body as RetryInfo, the others into the header Retry-After."""
    ask(bench, wire, "flaky@n=1,status=429,retry_after=0.3,key=wait")
    waits = [event.wait_seconds for event in bench.events if isinstance(event, CallRetried)]
    assert len(waits) == 1
    assert 0.3 <= waits[0] <= 0.375, "what was asked for, and a little more at random"
    first, second = bench.server.requests
    assert second.started - first.started >= 0.3


@pytest.mark.parametrize("mode", ["parts@n=3", "first_part@n=3"])
def test_text_that_comes_as_a_list_of_parts_is_read_or_missed_aloud(mode: str, bench: Bench) -> None:
    reply = ask(bench, "openai", mode)
    is_whole = reply.status == "done" and reply.text == whole_text(bench.server.requests[0])
    assert is_whole or (reply.error is not None and reply.error.kind == "malformed")


@pytest.mark.parametrize("wire", CHAT)
def test_stopping_closes_the_connection(wire: str, bench: Bench) -> None:
    running = bench.start(asking(bench, wire, "endless@tps=100"))
    bench.server.wait_for(lambda requests: requests[0].sent_chunks > 3)
    stopped = time.monotonic()
    bench.control.stop()
    (request,) = bench.server.wait_for(lambda requests: requests[0].disconnected)
    assert (request.ended or 0.0) - stopped < 0.5
    assert running.result(timeout=5).status == "stopped"


def test_a_protocol_that_is_not_known_here_is_left_to_litellm(bench: Bench) -> None:
    """Triton's `generate_stream` is one: its events have a `text_output`, and no reason."""
    base = f"{bench.server.root_url}/triton/models/ok@n=3/generate"
    asked = recipe([{"model": "triton/ok@n=3", "api_base": base}], **LIMITS)
    bench.gateway.allow_once(asked)
    reply = bench.run(asked).replies[CallId(1, 1)]
    assert (reply.status, reply.text) == ("done", "answer-1-ok each model drafts "), reply.error


def test_what_litellm_asks_of_others_beside_a_reply_is_no_fault_of_it(bench: Bench) -> None:
    """For a model of Hugging Face's it looks for a file in the hub, where this call may not go."""
    base = f"{bench.server.root_url}/openai/v1"
    asked = recipe([{"model": "huggingface/together/vendor/ok@n=3", "api_base": base}], **LIMITS)
    bench.gateway.allow_once(asked)
    reply = bench.run(asked).replies[CallId(1, 1)]
    assert (reply.status, reply.text) == ("done", "answer-1-ok each model drafts "), reply.error
