"""The fault table: what each way a server can fail comes to, over real HTTP through litellm."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine import limits
from moa_tui.engine.events import CallEnded, CallRetried, Delta, Restated
from moa_tui.engine.values import CallId
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from tests.gateway.conftest import Bench

FAST = {"first_token_seconds": 1.0, "idle_seconds": 0.6, "total_seconds": 6.0, "retries": 1}
PATIENT = {"first_token_seconds": 30.0, "idle_seconds": 30.0, "total_seconds": 60.0}
"""Where no limit of time is what is tested, however busy the machine is."""


@dataclass(frozen=True)
class Row:
    """A fault and its exact outcome: status, kind, HTTP status, attempts, a part of the message."""

    mode: str
    status: str
    kind: str | None = None
    code: int | None = None
    attempts: int = 1
    said: str = ""

    def __str__(self) -> str:
        return self.mode


ROWS = [
    Row("http401", "failed", "auth", 401, said="API key"),
    Row("http402", "failed", "payment", 402),
    Row("http403", "failed", "forbidden", 403),
    Row("http404", "failed", "not_found", 404),
    Row("http400", "failed", "bad_request", 400),
    Row("http413", "failed", "bad_request", 413),
    Row("http422", "failed", "bad_request", 422),
    Row("http400ctx", "failed", "context", 400, said="context length"),
    Row("http429@retry_after=0", "failed", "rate_limit", 429, attempts=2),
    Row("http429_bare", "failed", "rate_limit", 429, attempts=2),
    Row("http429quota", "failed", "quota", 429, said="quota"),
    Row("flaky@status=429,retry_after=0,key=f429", "done", attempts=2),
    Row("flaky@status=500,retry_after=0,key=f500", "done", attempts=2),
    Row("flaky@status=502,retry_after=0,key=f502", "done", attempts=2),
    Row("flaky@status=503,retry_after=0,key=f503", "done", attempts=2),
    Row("flaky@status=529,retry_after=0,key=f529", "done", attempts=2),
    Row("flaky@status=408,retry_after=0,key=f408", "done", attempts=2),
    Row("http408", "failed", "server", 408, attempts=2),
    Row("http500", "failed", "server", 500, attempts=2),
    Row("http502", "failed", "server", 502, attempts=2),
    Row("http502html", "failed", "server", 502, attempts=2, said="Bad"),
    Row("http503@retry_after=0", "failed", "server", 503, attempts=2),
    Row("http529", "failed", "server", 529, attempts=2),
    Row("reset_connect", "failed", "connection", attempts=2, said="lost"),
    Row("reset@n=5", "partial", "connection", said="lost"),
    Row("cut@n=5", "partial", "connection", said="lost"),
    Row("hang_connect", "failed", "timeout", said="first_token_seconds"),
    Row("hang_headers", "failed", "timeout", said="first_token_seconds"),
    Row("hang@n=5", "partial", "timeout", said="idle_seconds"),
    Row("keepalive_hang@n=5", "partial", "timeout", said="idle_seconds"),
    Row("keepalive_hang@n=-1", "failed", "timeout", said="first_token_seconds"),
    Row("endless@tps=50", "partial", "timeout", said="total_seconds"),
    Row("bad_json@n=5", "partial", "malformed"),
    Row("non_utf8@n=5", "partial", "malformed"),
    Row("error_event@n=5", "partial", "server", said="middle of its reply"),
    Row("error_choice@n=5", "partial", "server", said="middle of its reply"),
    Row("html", "failed", "empty", said="api_base"),
    Row("json_body", "done"),
    Row("empty", "failed", "empty"),
    Row("empty_done", "failed", "empty"),
    Row("empty_stop", "failed", "empty", said="without writing anything"),
    Row("no_done@n=5", "partial", "cut_off"),
    Row("length", "partial", "length", said="cut at the model's own limit"),
    Row("content_filter", "partial", "filtered"),
    Row("no_usage", "done"),
    Row("one_line@size=1000000", "done"),
    Row("reasoning_only", "failed", "empty", said="reasoned but wrote no answer"),
    Row("ok", "done"),
    Row("reasoning", "done"),
    Row("reasoning2", "done"),
    Row("think", "done"),
    Row("comments", "done"),
    Row("bare", "done"),
    Row("split_utf8", "done"),
    Row("control", "done"),
]


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 0.05)


def table(*models: str, **changed: float) -> Recipe:
    """These models as proposers, and an aggregator without a fault."""
    layers = [[{"model": f"lab/{model}"} for model in models], [{"model": "lab/ok@key=final"}]]
    return recipe(*layers, **{**FAST, **changed})


def beside_five_good(base: str) -> Recipe:
    """A server that cannot be reached as one of six proposers."""
    return recipe(
        [{"model": "openai/x", "api_base": base}, {"model": "lab/ok", "count": 5}],
        [{"model": "lab/ok"}],
        **FAST,
    )


# Of the answers that are complete, those whose server does not count tokens.
NO_USAGE = {"no_usage", "bare"}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_fault(row: Row, bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """One of six proposers has the fault: it has its exact outcome, and the run still answers."""
    changed = {} if row.kind == "timeout" else PATIENT
    if row.mode.startswith("endless"):
        changed = {"total_seconds": 1.5}
    good = [f"ok@n=3,key=good{number}" for number in range(5)]
    # The server's long lines say the same again and again.
    outcome = bench.run(table(row.mode, *good, loop_guard=False, **changed))

    reply = outcome.replies[CallId(1, 1)]
    assert (reply.status, reply.error.kind if reply.error else None) == (row.status, row.kind), reply.error
    assert (reply.error.status_code if reply.error else None) == row.code
    assert reply.attempts == row.attempts
    assert row.said in (reply.error.message if reply.error else "")
    if row.status == "partial":
        assert reply.text
    if row.mode.startswith("one_line"):
        assert len(reply.text) == 1_000_000
    if row.mode == "split_utf8":
        assert not re.search("[\ufffd]", reply.text)
        assert not reply.text.isascii()
    if row.mode == "length":
        assert reply.finish_reason == "length"
    if row.status == "done":
        assert reply.usage.estimated == (row.mode in NO_USAGE)
    assert outcome.status == "done"
    assert f"-{'final'} " in outcome.answer
    if row.status != "done":
        assert "layer 1: 5 of 6 used" in outcome.notes

    retries = [event for event in bench.events if isinstance(event, CallRetried)]
    assert len(retries) == row.attempts - 1
    requests = [request for request in bench.server.requests if request.mode == row.mode.partition("@")[0]]
    assert (
        len([r for r in requests if r.key not in ("final", *(f"good{n}" for n in range(5)))]) == row.attempts
    )
    assert capfd.readouterr() == ("", ""), "nothing is printed but what is ours"


@pytest.fixture
def closed_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def check_unreachable(bench: Bench, base: str, message: str) -> None:
    """The server at `base` is tried twice, its failure says why, and the run still answers."""
    unreachable = beside_five_good(base)
    bench.gateway.allow_once(unreachable)
    outcome = bench.run(unreachable)
    reply = outcome.replies[CallId(1, 1)]
    assert outcome.status == "done"
    assert reply.error is not None
    assert (reply.error.kind, reply.error.status_code, reply.attempts) == ("connection", None, 2)
    assert message in reply.error.message


def test_a_refused_connection_names_the_address(
    bench: Bench, closed_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    base = f"http://127.0.0.1:{closed_port}/v1"
    check_unreachable(bench, base, f"connection refused at {base}")
    assert capfd.readouterr() == ("", "")


def test_a_host_that_is_not_there_is_said_to_be_not_found(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    base = "http://no-such-host.invalid/v1"
    check_unreachable(bench, base, f"host not found at {base}")
    assert capfd.readouterr() == ("", "")


def test_a_provider_nobody_knows_is_named_with_the_way_out(bench: Bench) -> None:
    unknown = recipe([{"model": "nowhere/x"}, {"model": "lab/ok"}], [{"model": "lab/ok"}])
    bench.gateway.allow_once(unknown)
    reply = bench.run(unknown).replies[CallId(1, 1)]
    assert reply.error is not None
    assert "[endpoints.nowhere]" in reply.error.message


def test_retry_after_is_waited_out(bench: Bench) -> None:
    outcome = bench.run(table("flaky@status=429,retry_after=1,key=wait"))
    retried = next(event for event in bench.events if isinstance(event, CallRetried))
    assert 1.0 <= retried.wait_seconds <= 1.25
    first, second = (r for r in bench.server.requests if r.key == "wait")
    assert second.started - first.started >= 1.0
    assert outcome.replies[CallId(1, 1)].status == "done"


def test_a_context_error_is_answered_with_shortened_references(bench: Bench) -> None:
    long_draft = recipe(
        [{"model": "lab/ok@n=600,key=long"}], [{"model": "lab/context_once@limit=4000,key=short"}], **FAST
    )
    outcome = bench.run(long_draft)
    assert outcome.status == "done"
    first, second = (r for r in bench.server.requests if r.key == "short")
    sizes = [sum(len(m["content"]) for m in request.body["messages"]) for request in (first, second)]
    assert sizes[0] > 4000 > sizes[1]
    assert "[… shortened]" in str(second.body["messages"])
    assert any("shortened" in note for note in outcome.notes)


def test_a_context_error_in_the_first_layer_is_answered_with_less_history(bench: Bench) -> None:
    history: list[Message] = []
    for number in range(8):
        history.append({"role": "user", "content": f"question {number} " + "the cats sat " * 37})
        history.append({"role": "assistant", "content": f"answer {number} " + "the cats sat " * 37})
    history.append({"role": "user", "content": "and now?"})
    outcome = bench.run(
        recipe([{"model": "lab/context_once@limit=5000,n=3,key=long", "name": "m"}], **FAST), history=history
    )
    assert outcome.status == "done"
    first, second = bench.server.requests
    assert (len(first.body["messages"]), second.body["messages"][-1]["content"]) == (17, "and now?")
    left_out = 17 - len(second.body["messages"])
    assert f"m: {left_out} oldest messages left out to fit its context window" in outcome.notes


def test_real_usage_is_told_from_estimated(bench: Bench) -> None:
    outcome = bench.run(table("ok@n=9", "no_usage@n=9"))
    real, estimated = (outcome.replies[CallId(1, index)].usage for index in (1, 2))
    assert (real.estimated, real.completion_tokens) == (False, 10)
    assert estimated.estimated
    assert estimated.completion_tokens > 0


@pytest.mark.parametrize("mode", ["reasoning", "reasoning2", "think"])
def test_reasoning_is_kept_apart_and_never_sent_on(mode: str, bench: Bench) -> None:
    outcome = bench.run(table(f"{mode}@reason=9,n=2,key=mind"))
    reply = outcome.replies[CallId(1, 1)]
    assert reply.reasoning
    assert "<think>" not in reply.text
    assert reply.text.startswith("answer-")
    final = next(r for r in bench.server.requests if r.key == "final")
    assert reply.reasoning not in str(final.body["messages"])
    assert reply.text.strip() in final.body["messages"][0]["content"]


def test_reasoning_that_the_template_opened_is_moved_out_of_answer_and_reference(bench: Bench) -> None:
    bench.server.script = {"mind": ["Let me think.\n</thi", "nk>\n\nPar", "is."]}
    outcome = bench.run(table("scripted@key=mind"))
    reply = outcome.replies[CallId(1, 1)]
    assert (reply.reasoning, reply.text, reply.status) == ("Let me think.\n", "Paris.", "done")
    assert Restated(CallId(1, 1), "Let me think.\n", "") in bench.events
    final = next(r for r in bench.server.requests if r.key == "final")
    assert "Paris." in str(final.body["messages"])
    assert "Let me think" not in str(final.body["messages"])


def test_a_block_that_never_closed_is_the_answer_and_a_note_says_so(bench: Bench) -> None:
    bench.server.script = {"x": ["<thi", "nk>", "Par", "is."]}
    reply = bench.run(recipe([{"model": "lab/scripted@key=x", "name": "m"}])).replies[CallId(1, 1)]
    assert (reply.reasoning, reply.text, reply.status) == ("", "Paris.", "done")
    assert any("never closed" in note for note in reply.notes)


def test_what_could_steer_a_terminal_does_not_come_through(bench: Bench) -> None:
    outcome = bench.run(table("control"))
    texts = [event.text for event in bench.events if isinstance(event, Delta)]
    texts += [event.reply.text for event in bench.events if isinstance(event, CallEnded)]
    assert not any((ord(c) < 32 and c not in "\n\t") or ord(c) == 127 for text in texts for c in text)
    assert "red" in outcome.replies[CallId(1, 1)].text
    assert "[b]" in outcome.replies[CallId(1, 1)].text, "markup is text like any other"


def test_a_piece_that_was_held_back_is_not_lost_when_the_stream_ends(bench: Bench) -> None:
    bench.server.script = {"x": ["<thi"]}
    assert bench.run(recipe([{"model": "lab/scripted@key=x"}])).answer == "<thi"
    bench.server.script = {"x": ["an answer that ends in a line end\r"]}
    assert bench.run(recipe([{"model": "lab/scripted@key=x"}])).answer.endswith("end\n")


def test_stopping_closes_every_connection_within_a_tenth_of_a_second(bench: Bench) -> None:
    running = bench.start(table(*(f"endless@tps=100,key={n}" for n in range(5)), "hang_connect"))
    bench.server.wait_for(
        lambda requests: (
            len(requests) == 6 and all(r.sent_chunks > 3 for r in requests[:5] if r.mode == "endless")
        )
    )
    stopped = time.monotonic()
    bench.control.stop()
    bench.server.wait_for(lambda requests: all(request.disconnected for request in requests))
    assert max(request.ended or 0.0 for request in bench.server.requests) - stopped < 0.1
    outcome = running.result(timeout=5)
    assert outcome.status == "stopped"
    assert all(outcome.replies[CallId(1, index)].text for index in range(1, 6))


def test_stopping_one_call_closes_its_connection_alone(bench: Bench) -> None:
    running = bench.start(table("endless@tps=100,key=gone", "ok@n=60,tps=100,key=stays"))
    bench.server.wait_for(lambda requests: len(requests) == 2 and all(r.sent_chunks > 2 for r in requests))
    bench.control.stop_call(CallId(1, 1))
    outcome = running.result(timeout=10)
    gone, stays, _ = bench.server.requests
    by_key = {request.key: request for request in (gone, stays)}
    assert by_key["gone"].disconnected
    assert not by_key["stays"].disconnected
    assert outcome.status == "done"
