"""litellm's part of a call: it sends the request, and reads the reply only where nobody here can."""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.values import CallId
from moa_tui.gateway.litellm_memory import skip_in_calls
from moa_tui.gateway.pending_request import PendingRequest
from moa_tui.gateway.thread import load_litellm_stream
from moa_tui.gateway.transport import BoundedStream, Exchange, current_exchange
from tests.gateway.wire_cases import CHAT
from tests.helpers import recipe, wait_until
from tests.hostile.raw_server import RawServer, head
from tests.wires import WIRES, WireServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.gateway.conftest import Bench
    from tests.hostile.raw_server import Asked

LIMITS: dict[str, Any] = {"first_token_seconds": 5.0, "idle_seconds": 5.0, "total_seconds": 10.0}


@pytest.fixture(scope="module")
def running_server() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


class Watched:
    """litellm's `acompletion`, counting how often it came to its end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.litellm = load_litellm_stream().litellm
        self.original = self.litellm.acompletion
        self.begun = self.returned = self.cancelled = 0
        monkeypatch.setattr(self.litellm, "acompletion", self.acompletion)

    async def acompletion(self, **request: Any) -> Any:
        self.begun += 1
        try:
            response = await self.original(**request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.returned += 1
        return response


@pytest.mark.parametrize("wire", [wire for wire in CHAT if wire != "gemini"])  # which it asks for later
def test_litellm_sees_nothing_of_a_reply_that_is_read_here(
    wire: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)
    model = WIRES[wire].model("ok@n=3")
    asked = recipe([{"model": model, "api_base": WIRES[wire].base_url(bench.server)}], **LIMITS)
    bench.gateway.allow_once(asked)
    reply = bench.run(asked).replies[CallId(1, 1)]
    assert (reply.status, reply.usage.estimated, reply.usage.completion_tokens) == ("done", False, 4)
    assert (watched.begun, watched.returned, watched.cancelled) == (1, 0, 1)


def test_litellm_goes_on_where_the_reply_is_in_a_protocol_that_only_it_reads(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)
    base = f"{bench.server.root_url}/triton/models/ok@n=3/generate"
    asked = recipe([{"model": "triton/ok@n=3", "api_base": base}], **LIMITS)
    bench.gateway.allow_once(asked)
    reply = bench.run(asked).replies[CallId(1, 1)]
    assert (reply.status, reply.text) == ("done", "answer-1-ok each model drafts ")
    assert (watched.begun, watched.returned, watched.cancelled) == (1, 1, 0)


def test_what_litellm_logs_is_left_out_of_our_calls_and_of_no_others() -> None:
    class Logging:
        def response_cost_calculator(self, result: str) -> str:
            return result

    skip_in_calls(Logging)
    assert Logging().response_cost_calculator("theirs") == "theirs"
    token = current_exchange.set(Exchange(()))
    assert Logging().response_cost_calculator("ours") is None
    current_exchange.reset(token)
    assert not hasattr(Logging, "dispatch_success_handlers"), "a version of litellm without it gets none"


class Response(SimpleNamespace):
    """What litellm returns; it notes that it was closed."""

    closed = False

    async def aclose(self) -> None:
        self.closed = True


async def test_a_call_is_stopped_while_litellm_reads_its_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a form of answer that Groq gives in no stream, litellm asks for a whole document and reads that."""
    read: list[bytes] = []
    monkeypatch.setattr(BoundedStream, "_check", lambda _, piece: read.append(piece))

    async def script(asked: Asked) -> AsyncIterator[bytes]:
        yield head(kind="application/json")
        while True:
            yield b" "
            await asyncio.sleep(0)

    async def ask(root: str) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
        messages: list[Any] = [{"role": "user", "content": "What is a moa?"}]
        where: dict[str, Any] = {"api_base": root, "api_key": "none", "addresses": (root,), "headers": {}}
        adapter = load_litellm_stream()
        async for _ in adapter.stream("groq/any", messages, {"response_format": form}, **where):
            pass

    with RawServer(script) as server:
        call = asyncio.create_task(ask(server.root))
        await wait_until(lambda: len(read) > 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await wait_until(lambda: server.closed == 1)


async def test_requests_are_written_two_at_a_time() -> None:
    writing: list[int] = []
    may_go_on = asyncio.Event()

    async def write(number: int) -> Response:
        writing.append(number)
        await may_go_on.wait()
        return Response()

    requests = [PendingRequest(partial(write, number)) for number in range(4)]
    await wait_until(lambda: len(writing) == 2)
    requests[0].sending()
    await wait_until(lambda: writing == [0, 1, 2])
    requests[0].sending()  # it may send more than once: to sign in, and to ask
    may_go_on.set()
    await wait_until(lambda: writing == [0, 1, 2, 3])
    for request in requests:
        await request.aclose()


async def test_a_request_whose_writing_hangs_holds_up_no_other() -> None:
    """Where litellm signs in before it writes, that may take as long as a server likes."""
    begun = []

    async def hang() -> None:
        begun.append(True)
        await asyncio.Event().wait()

    requests = [PendingRequest(hang) for _ in range(4)]
    await wait_until(lambda: len(begun) == 4)
    for request in requests:
        await request.aclose()
    assert all(request._task.cancelled() for request in requests)


async def test_what_litellm_returned_is_closed_and_what_it_raised_is_told() -> None:
    response = Response()

    async def answer() -> Response:
        return response

    async def fail() -> None:
        raise ValueError("no such model")

    good, bad = PendingRequest(answer), PendingRequest(fail)
    await good.reply()
    assert await good.response() is response
    await good.aclose()
    assert response.closed
    with pytest.raises(ValueError, match="no such model"):
        await bad.reply()
    await bad.aclose()
