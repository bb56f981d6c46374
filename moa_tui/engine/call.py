"""The calls of a run: their attempts, limits and fallbacks, and the reply that each call ends with."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.engine.amounts import dollars
from moa_tui.engine.call_in_progress import Asking, CallInProgress
from moa_tui.engine.events import CallRetried, CallStarted, Delta, Restated
from moa_tui.engine.health import rest_reason
from moa_tui.engine.limits import (
    WHOLE,
    CallScope,
    Endpoints,
    Fit,
    is_retryable,
    retries_after,
    retry_wait,
    smaller_fit,
)
from moa_tui.engine.packed_messages import packed
from moa_tui.engine.tasks import Prepared, Reference, prepare
from moa_tui.engine.values import Failure, Finish, Moved, Reply, Usage, paid
from moa_tui.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event, Stream
    from moa_tui.engine.health import Health
    from moa_tui.engine.layer import Layer, Limits
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.values import CallId, Message, Status

    RequestCheck = Callable[[CallId, Agent, Sequence[Message], float], Awaitable[None]]

STOPPED = Failure("stopped", "stopped by hand")
# Of the failures without a status, those of requests that were not sent. The attempts before one were refused
# by the server, since nothing else is asked again.
_UNPAID = ("connection", "tls", "budget", "max_cost")


class Caller:
    """Makes the calls of one run. All methods are called on the run's loop, so there are no locks."""

    def __init__(
        self,
        limits: Limits,
        history: Sequence[Message],
        stream: Stream,
        emit: Callable[[Event], None],
        facts: Callable[[Agent], ModelFacts],
        health: Health,
        endpoints: Endpoints | None = None,
    ) -> None:
        """`endpoints` has the places for calls that all runs share; None where this run shares none."""
        self.limits = limits
        self.history = history
        self.stream = stream
        self.emit = emit
        self.facts = facts
        self.health = health
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.endpoints = endpoints or Endpoints()
        self.stopped = False
        self.check_request: RequestCheck | None = None
        """Raises ModelError where a request may not be paid; called with the call, its agent, the messages
        and what other requests of the call cost, in US dollars. None where nothing is checked."""
        self._scopes: dict[CallId, CallScope] = {}

    def now(self) -> float:
        """Seconds since the run began."""
        return self.loop.time() - self.began

    def stop(self) -> None:
        """End every open call with the failure STOPPED, and let no other begin."""
        self.stopped = True
        self.end_all(STOPPED)

    def end_call(self, call: CallId, why: Failure) -> None:
        """End one call with the failure `why`. A call that is not open is left as it is."""
        if call in self._scopes:
            self._scopes[call].end(why)

    def end_all(self, why: Failure) -> None:
        """End every open call with the failure `why`."""
        for scope in self._scopes.values():
            scope.end(why)

    def end_layer(self, layer: int, why: Failure) -> None:
        """End every open call of one layer with the failure `why`."""
        for call, scope in self._scopes.items():
            if call.layer == layer:
                scope.end(why)

    @property
    def open_calls(self) -> Collection[CallId]:
        """The calls that `end_call` and `end_all` can end now."""
        return self._scopes.keys()

    @asynccontextmanager
    async def open_scope(self, call: CallId) -> AsyncIterator[CallScope]:
        """A scope in which `call` is open, so that it can be ended from outside.

        Raises TimeoutError where the scope was ended; `expired` tells that from a TimeoutError of the body.
        """
        scope = self._scopes[call] = CallScope()
        try:
            async with scope:
                yield scope
        finally:
            del self._scopes[call]

    async def call(
        self,
        call: CallId,
        layer: Layer,
        agents: Sequence[Agent],
        references: Sequence[Reference],
        peers: Sequence[Agent] = (),
        asking: Asking | None = None,
    ) -> Reply:
        """The reply of the first of `agents`, or of the next one where the one before failed.

        `peers` are the agents of the call's layer. An agent whose endpoint rests is not asked while a peer or
        a later one of `agents` can be asked. `asking` is for one of several requests of a call.
        """
        emit = self.emit if asking is None else asking.emit
        queued = self.now()
        notes: tuple[str, ...] = ()
        failed = ""
        reply = Reply(agents[0].name, agents[0].model, "failed", usage=Usage(estimated=False), cost=0.0)
        for agent, following in zip(agents, [*agents[1:], None], strict=True):
            if self.stopped:
                reply = replace(reply, status="stopped", error=reply.error or STOPPED, ended=self.now())
                break
            others = [*peers, *agents[agents.index(agent) + 1 :]]
            current = CallInProgress(agent, queued, reply.attempts, others, asking)
            current.paid_before = paid((reply,)).known_cost
            # The agents that failed before have cost and time too.
            before = reply
            reply = await self._ask(call, layer, current, references)
            together = paid((before, reply))
            reply = replace(
                reply,
                usage=together.usage,
                cost=together.cost,
                known_cost=0.0 if together.cost is not None else together.known_cost,
                started=reply.started if before.started is None else before.started,
            )
            if failed and reply.attempts > before.attempts:
                notes += (f"{failed}; {agent.name} was asked instead",)
            if reply.status != "failed" or reply.error is None or following is None:
                break
            failed = f"{agent.name} failed ({reply.error.message})"
            emit(CallRetried(call, following, reply.attempts + 1, 0.0, reply.error, self.now()))
        return replace(reply, notes=(*notes, *reply.notes))

    async def _ask(
        self, call: CallId, layer: Layer, current: CallInProgress, references: Sequence[Reference]
    ) -> Reply:
        """The reply of one agent after all of its attempts; `health` records it."""
        reply = await self._attempted(call, layer, current, references)
        # Health counts this agent's own attempts; others may have been asked before it.
        own_reply = replace(reply, attempts=reply.attempts - current.attempts_before)
        self.health.record(self.facts(current.agent).endpoint, own_reply)
        return reply

    async def _attempted(
        self, call: CallId, layer: Layer, current: CallInProgress, references: Sequence[Reference]
    ) -> Reply:
        """The reply of one agent after all of its attempts, however they ended."""
        try:
            async with self.open_scope(call) as scope:
                await self._attempts(call, layer, current, references, scope)
        except ModelError as error:
            return self._reply(current, current.status_when_cut, _failure(error))
        except TimeoutError:
            if not scope.expired:
                raise
            if scope.ended_by is not None:
                return self._reply(current, "stopped", scope.ended_by)
            limit = f"not done after {self.limits.total_seconds:g} s (limits.total_seconds)"
            return self._reply(current, current.status_when_cut, Failure("timeout", limit))
        return self._reply(current, "done", None)

    async def _attempts(
        self,
        call: CallId,
        layer: Layer,
        current: CallInProgress,
        references: Sequence[Reference],
        scope: CallScope,
    ) -> None:
        """Ask the agent until an attempt succeeds. Raises ModelError where none does.

        An attempt that fails before any text came is repeated: at once with less of it where the request was
        too long, after a wait where the fault may pass.
        """
        limits, asking = self.limits, current.asking
        emit = self.emit if asking is None else asking.emit
        worked_seconds = 0.0 if asking is None else asking.worked_seconds
        failed_attempts, fit = 0, WHOLE
        while True:
            if asking is None:
                prepared = self.prepare(call, layer, current.agent, references, fit)
            else:
                prepared = asking.prepare(current.agent, fit)
            facts = self.facts(current.agent)
            most = facts.concurrency or limits.concurrency
            async with self.endpoints.place(facts.endpoint, most, self) as place:
                self._check_rest(current)
                if self.check_request is not None:
                    others = current.paid_before + (0.0 if asking is None else asking.to_come)
                    await self.check_request(call, current.agent, prepared.messages, others)
                began, started = self.loop.time(), current.started
                scope.limit(began + limits.total_seconds - worked_seconds)
                current.begin(prepared, fit.agent(current.agent), self.now(), facts.thinking_tokens)
                emit(CallStarted(call, current.agent, prepared.messages, self.now()))
                try:
                    return await self._consume(call, current)
                except ModelError as caught:
                    error = caught
                    waits_again = not current.received and place.refused(error)
            scope.limit(None)
            if waits_again:
                current.started = started
                emit(CallRetried(call, current.agent, current.attempts + 1, 0.0, _failure(error), self.now()))
                continue
            worked_seconds += self.loop.time() - began
            if current.received:
                raise error
            smaller = smaller_fit(error, fit, prepared.messages, references, current.agent, facts)
            if smaller is not None:
                fit, wait = smaller, 0.0
            else:
                failed_attempts += 1
                if failed_attempts > retries_after(error, limits.retries) or not is_retryable(error):
                    raise error
                seconds_left = limits.total_seconds - worked_seconds
                wait = retry_wait(error, failed_attempts, seconds_left)
                if wait > seconds_left:
                    raise ModelError(
                        error.kind,
                        f"{error.message} (not tried again: the wait of {wait:.0f} s is longer than "
                        "limits.total_seconds leaves)",
                        error.status_code,
                    )
            emit(CallRetried(call, current.agent, current.attempts + 1, wait, _failure(error), self.now()))
            await asyncio.sleep(wait)
            worked_seconds += wait

    def _check_rest(self, current: CallInProgress) -> None:
        """Raise ModelError where the agent's endpoint rests and another agent's endpoint does not."""
        endpoint = self.facts(current.agent).endpoint
        seconds = self.health.rest_seconds(endpoint)
        if seconds and any(
            not self.health.rest_seconds(self.facts(other).endpoint) for other in current.others
        ):
            why = rest_reason(endpoint, seconds)
            current.notes = (*current.notes, f"{current.agent.name}: not asked, {why}")
            raise ModelError("rested", why)

    async def _consume(self, call: CallId, current: CallInProgress) -> None:
        """Read one stream to its end under the recipe's first-token and idle limits. Raises ModelError."""
        limits = self.limits
        time = self.loop.time
        emit = self.emit if current.asking is None else current.asking.emit
        try:
            async with (
                asyncio.timeout(limits.first_token_seconds) as quiet,
                aclosing(self.stream(current.asked, current.messages)) as chunks,
            ):
                async for chunk in chunks:
                    if isinstance(chunk, Finish):
                        current.finish = chunk
                        continue
                    if isinstance(chunk, Moved):
                        current.move(chunk)
                        emit(Restated(call, "".join(current.reasoning), "".join(current.text)))
                        continue
                    quiet.reschedule(time() + limits.idle_seconds)
                    current.append(chunk.kind, chunk.text, self.now())
                    emit(Delta(call, chunk.kind, chunk.text))
                    if limits.loop_guard:
                        current.check_loop(chunk.kind, chunk.text)
        except TimeoutError as error:
            if not quiet.expired():
                raise
            if current.received:
                why = (
                    f"silent for {limits.idle_seconds:g} s in the middle of its answer (limits.idle_seconds)"
                )
            else:
                why = f"no answer began within {limits.first_token_seconds:g} s (limits.first_token_seconds)"
            raise ModelError("timeout", why) from error
        if limits.loop_guard and current.finish.reason == "length":
            current.check_loop("text", was_cut=True)
        current.check_complete()

    def prepare(
        self, call: CallId, layer: Layer, agent: Agent, references: Sequence[Reference], fit: Fit = WHOLE
    ) -> Prepared:
        """The messages of one call, fitted to its agent's context window."""
        facts = self.facts(agent)
        sizes = (facts.context_tokens, fit.context_tokens)
        window = min((size for size in sizes if size is not None), default=None)
        prepared = prepare(
            call,
            fit.agent(agent),
            layer,
            self.history,
            references,
            context_tokens=None if window is None else window - facts.thinking_tokens,
            shorten_to=fit.share,
        )
        if fit.note is None:
            return prepared
        return replace(prepared, notes=(*prepared.notes, f"{agent.name}: {fit.note}"))

    def _reply(self, current: CallInProgress, status: Status, error: Failure | None) -> Reply:
        """The reply of a call that ends now. A request that was never sent or was refused costs nothing."""
        was_refused = error is not None and (error.status_code is not None or error.kind in _UNPAID)
        is_unpaid = current.started is None or (was_refused and not current.received)
        usage = Usage(estimated=False) if is_unpaid else current.usage()
        cost = 0.0 if is_unpaid else self._cost(current, usage)
        return Reply(
            agent=current.agent.name,
            model=current.agent.model,
            status=status,
            messages=packed(current.messages, current.texts),
            text="".join(current.text),
            reasoning="".join(current.reasoning),
            error=error,
            finish_reason=current.finish.reason,
            usage=usage,
            cost=cost,
            queued=current.queued,
            started=current.started,
            first_token=current.first_token,
            ended=self.now(),
            attempts=current.attempts,
            notes=current.all_notes(),
            local=cost == 0.0 and self.facts(current.agent).is_local,
        )

    def _cost(self, current: CallInProgress, usage: Usage) -> float | None:
        """The cost of a call in US dollars, None where it is unknown."""
        facts, counted = self.facts(current.agent), current.finish.usage
        if (cost := current.finish.cost) is not None:
            uncounted = 0 if counted is None else usage.completion_tokens - counted.completion_tokens
            return cost + uncounted * (facts.completion_price or 0.0)
        is_free = facts.prompt_price == facts.completion_price == 0.0
        if counted is None and not current.received and not is_free:
            return None  # The prompt may have been charged, but the provider did not say so.
        return dollars(facts.cost(usage))


def _failure(error: ModelError) -> Failure:
    return Failure(error.kind, error.message, error.status_code)
