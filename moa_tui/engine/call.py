"""One call: its tries, its limits, its fallbacks, and the reply it comes to."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.engine.events import CallRetried, CallStarted, Delta, Failure, Finish, Reply, Usage
from moa_tui.engine.health import rested
from moa_tui.engine.limits import (
    MAX_REPLY_CHARACTERS,
    CallScope,
    Endpoints,
    is_retryable,
    retry_wait,
    shortened_share,
)
from moa_tui.engine.plan import estimate_tokens, message_tokens, total_cost
from moa_tui.engine.tasks import Prepared, Reference, prepare
from moa_tui.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import CallId, Event, Message, Status, Stream
    from moa_tui.engine.health import Health
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.recipe import Layer, Limits

STOPPED = Failure("stopped", "stopped by hand")


class Caller:
    """Makes a run's calls. Its methods run on one loop, so nothing here needs a lock."""

    def __init__(
        self,
        limits: Limits,
        history: Sequence[Message],
        stream: Stream,
        emit: Callable[[Event], None],
        facts: Callable[[Agent], ModelFacts],
        health: Health,
    ) -> None:
        self.limits = limits
        self.history = history
        self.stream = stream
        self.emit = emit
        self.facts = facts
        self.health = health
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.endpoints = Endpoints(limits.concurrency, facts)
        self.scopes: dict[CallId, CallScope] = {}
        self.stopped = False

    def now(self) -> float:
        """Seconds since the run began."""
        return self.loop.time() - self.began

    def stop(self) -> None:
        """End every call that is going, and let no other begin."""
        self.stopped = True
        self.end_all(STOPPED)

    def stop_call(self, call: CallId) -> None:
        """End one call, if it is going."""
        self.end_call(call, STOPPED)

    def end_call(self, call: CallId, why: Failure) -> None:
        """As `stop_call`, for a reason of its own."""
        if call in self.scopes:
            self.scopes[call].end(why)

    def end_all(self, why: Failure) -> None:
        """End every call that is going."""
        for scope in self.scopes.values():
            scope.end(why)

    async def call(
        self,
        call: CallId,
        layer: Layer,
        agents: Sequence[Agent],
        references: Sequence[Reference],
        peers: Sequence[Agent] = (),
    ) -> Reply:
        """Ask the first of `agents`, and each next one where the one before failed.

        `peers` are the agents of its layer: while one of them can be asked, none is whose endpoint rests.
        """
        queued = self.now()
        notes: tuple[str, ...] = ()
        reply = Reply(agents[0].name, agents[0].model, "failed", usage=Usage(estimated=False), cost=0.0)
        for agent, following in zip(agents, [*agents[1:], None], strict=True):
            if self.stopped:
                reply = replace(reply, status="stopped", error=reply.error or STOPPED, ended=self.now())
                break
            others = [*peers, *agents[agents.index(agent) + 1 :]]
            live = _Live(agent, queued, reply.attempts, others)
            # What failed before was paid for all the same, and took its time.
            before = reply
            reply = await self._ask(call, layer, live, references)
            reply = replace(
                reply,
                usage=before.usage + reply.usage,
                cost=total_cost((before.cost, reply.cost)),
                started=reply.started if before.started is None else before.started,
            )
            if reply.status != "failed" or reply.error is None or following is None:
                break
            notes += (f"{agent.name} failed ({reply.error.message}); {following.name} was asked instead",)
            self.emit(CallRetried(call, following, reply.attempts + 1, 0.0, reply.error, self.now()))
        return replace(reply, notes=(*notes, *reply.notes))

    async def _ask(self, call: CallId, layer: Layer, live: _Live, references: Sequence[Reference]) -> Reply:
        """One agent's call with its retries."""
        reply = await self._tried(call, layer, live, references)
        # By this agent's own attempts: others may have been asked before it.
        own = replace(reply, attempts=reply.attempts - live.attempts_before)
        self.health.took(self.facts(live.agent).endpoint, own)
        return reply

    async def _tried(self, call: CallId, layer: Layer, live: _Live, references: Sequence[Reference]) -> Reply:
        scope = self.scopes[call] = CallScope()
        try:
            async with scope:
                await self._attempts(call, layer, live, references, scope)
        except ModelError as error:
            return self._reply(live, _status_of(error, live), _failure(error))
        except TimeoutError:
            if not scope.expired:
                raise
            if scope.ended_by is not None:
                return self._reply(live, "stopped", scope.ended_by)
            limit = f"not done after {self.limits.total_seconds:g} s (limits.total_seconds)"
            return self._reply(live, "partial" if live.has_text else "failed", Failure("timeout", limit))
        finally:
            del self.scopes[call]
        return self._reply(live, "done", None)

    async def _attempts(
        self, call: CallId, layer: Layer, live: _Live, references: Sequence[Reference], scope: CallScope
    ) -> None:
        limits = self.limits
        worked = 0.0
        failed = 0
        share = 1.0
        while True:
            prepared = self.prepare(call, layer, live.agent, references, share)
            async with self.endpoints.place(live.agent):
                self._check_rest(live)
                begin = self.loop.time()
                scope.limit(begin + limits.total_seconds - worked)
                live.begin(prepared, self.now())
                self.emit(CallStarted(call, live.agent, prepared.messages, self.now()))
                try:
                    return await self._consume(call, live)
                except ModelError as caught:
                    error = caught
                finally:
                    worked += self.loop.time() - begin
            scope.limit(None)
            if live.received:
                raise error
            if error.kind == "context" and share == 1.0 and references:
                known = self.facts(live.agent)
                others = sum(map(message_tokens, prepared.messages)) - sum(
                    estimate_tokens(reference.text) for reference in references
                )
                share = shortened_share(references, live.agent, known, others)
                wait = 0.0
            else:
                failed += 1
                wait = retry_wait(error, failed)
                if failed > limits.retries or not is_retryable(error):
                    raise error
                if worked + wait > limits.total_seconds:
                    raise ModelError(
                        error.kind,
                        f"{error.message} (not tried again: the wait of {wait:.0f} s is longer than "
                        "limits.total_seconds leaves)",
                        error.status_code,
                    )
            self.emit(CallRetried(call, live.agent, live.attempts + 1, wait, _failure(error), self.now()))
            await asyncio.sleep(wait)
            worked += wait

    def _check_rest(self, live: _Live) -> None:
        """Raise ModelError where the endpoint rests and there is another that can be asked instead."""
        endpoint = self.facts(live.agent).endpoint
        seconds = self.health.rest_seconds(endpoint)
        if seconds and any(not self.health.rest_seconds(self.facts(other).endpoint) for other in live.others):
            why = rested(endpoint, seconds)
            live.notes = (*live.notes, f"{live.agent.name}: not asked, {why}")
            raise ModelError("rested", why)

    async def _consume(self, call: CallId, live: _Live) -> None:
        """Read one stream to its end under the recipe's first-token and idle limits."""
        limits = self.limits
        time, emit = self.loop.time, self.emit
        try:
            async with (
                asyncio.timeout(limits.first_token_seconds) as quiet,
                aclosing(self.stream(live.agent, live.messages)) as chunks,
            ):
                async for chunk in chunks:
                    if isinstance(chunk, Finish):
                        live.finish = chunk
                        continue
                    quiet.reschedule(time() + limits.idle_seconds)
                    live.take(chunk.kind, chunk.text, self.now())
                    emit(Delta(call, chunk.kind, chunk.text))
        except TimeoutError as error:
            if not quiet.expired():
                raise
            if live.received:
                why = (
                    f"silent for {limits.idle_seconds:g} s in the middle of its answer (limits.idle_seconds)"
                )
            else:
                why = f"no answer began within {limits.first_token_seconds:g} s (limits.first_token_seconds)"
            raise ModelError("timeout", why) from error
        live.check_complete()

    def prepare(
        self, call: CallId, layer: Layer, agent: Agent, references: Sequence[Reference], share: float = 1.0
    ) -> Prepared:
        """The messages of one call, fitted to its agent's context window."""
        window = self.facts(agent).context_tokens
        return prepare(call, agent, layer, self.history, references, context_tokens=window, shorten_to=share)

    def _reply(self, live: _Live, status: Status, error: Failure | None) -> Reply:
        refused = error is not None and (error.status_code is not None or error.kind == "connection")
        unpaid = live.started is None or (refused and not live.received)
        usage = Usage(estimated=False) if unpaid else live.usage()
        return Reply(
            agent=live.agent.name,
            model=live.agent.model,
            status=status,
            messages=live.messages,
            text="".join(live.text),
            reasoning="".join(live.reasoning),
            error=error,
            finish_reason=live.finish.reason,
            usage=usage,
            cost=0.0 if unpaid else self._cost(live, usage),
            queued=live.queued,
            started=live.started,
            first_token=live.first_token,
            ended=self.now(),
            attempts=live.attempts,
            notes=live.all_notes(),
        )

    def _cost(self, live: _Live, usage: Usage) -> float | None:
        if live.finish.cost is not None:
            return live.finish.cost
        if live.finish.usage is None and not live.received:
            return None  # It may have cost its prompt: nobody said.
        return self.facts(live.agent).cost(usage)


class _Live:
    """One agent's call while it goes."""

    def __init__(self, agent: Agent, queued: float, attempts: int, others: Sequence[Agent]) -> None:
        self.agent = agent
        self.queued = queued
        self.attempts = self.attempts_before = attempts
        self.others = others
        self.started: float | None = None
        self.first_token: float | None = None
        self.messages: tuple[Message, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.characters = 0
        self.finish = Finish()

    @property
    def received(self) -> bool:
        return self.first_token is not None

    @property
    def has_text(self) -> bool:
        return any(not part.isspace() for part in self.text)

    def begin(self, prepared: Prepared, now: float) -> None:
        self.messages, self.notes = prepared.messages, prepared.notes
        self.attempts += 1
        if self.started is None:
            self.started = now

    def take(self, kind: str, text: str, now: float) -> None:
        """Keep a piece of the reply. Raises ModelError where the reply has grown beyond any use."""
        if self.first_token is None:
            self.first_token = now
        (self.text if kind == "text" else self.reasoning).append(text)
        self.characters += len(text)
        if self.characters > MAX_REPLY_CHARACTERS:
            raise ModelError("too_long", f"stopped at {MAX_REPLY_CHARACTERS:,} characters")

    def check_complete(self) -> None:
        """Raise ModelError unless the stream ended as an answer should."""
        reason = self.finish.reason
        if reason == "content_filter":
            raise ModelError("filtered", "the provider's content filter stopped the answer")
        if not self.has_text:
            raise ModelError("empty", _why_empty(reason, bool(self.reasoning)))
        if reason is None:
            raise ModelError("cut_off", "the stream ended without saying that the answer is complete")

    def usage(self) -> Usage:
        if self.finish.usage is not None:
            return self.finish.usage
        if not self.received:
            return Usage()
        written = estimate_tokens("".join(self.text)) + estimate_tokens("".join(self.reasoning))
        return Usage(sum(map(message_tokens, self.messages)), written, estimated=True)

    def all_notes(self) -> tuple[str, ...]:
        if self.finish.reason != "length":
            return self.notes
        limit = f"max_tokens = {self.agent.max_tokens}" if self.agent.max_tokens else "the model's own limit"
        return (*self.notes, f"{self.agent.name}: answer cut at {limit}")


def _why_empty(reason: str | None, reasoned: bool) -> str:
    if reason == "length":
        return "the model reached its token limit before its answer began; raise max_tokens"
    if reasoned:
        return "the model reasoned but wrote no answer"
    if reason is None:
        return "no answer came in the server's stream; is its address (api_base) right, and can it stream?"
    return "the model ended without writing anything"


def _status_of(error: ModelError, live: _Live) -> Status:
    return "partial" if live.has_text else "failed"


def _failure(error: ModelError) -> Failure:
    return Failure(error.kind, error.message, error.status_code)
