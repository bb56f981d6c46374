"""What a person changes in a turn, whether it is over or being answered. Pure.

Every change knows both: `of_turn` gives the recipe and the replies of the turn that comes of it, and whatever
does not stand downstream of the change is kept, so neither asked nor paid again. `of_run` gives an alteration
of the run while it goes: what was answered is never written over, so an answer that something else takes the
place of is left out and stays to be seen, and what takes its place joins its layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from moa_tui.engine.live_change import Alteration, left_out_reply, restored_reply
from moa_tui.engine.recipe_edit import (
    answering_layer,
    with_agent,
    with_layers_of,
    with_own_seat,
    with_prompt,
    with_seats,
)
from moa_tui.engine.values import CallId, Reply, Usage
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.chat.run_handle import RunProgress
    from moa_tui.conversation import Turn
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe

BY_HAND = "written by hand"
# The replies that are kept where only what follows them is done anew.
_WHOLE = ("done", "excluded")


class Rerun(NamedTuple):
    """What is left to run of a changed turn: its recipe, and the replies that need no call."""

    recipe: Recipe
    kept: Mapping[CallId, Reply]


class Change(Protocol):
    """Something a person changes in a turn."""

    def of_turn(self, turn: Turn) -> Rerun:
        """What has to be run for it once the turn is over. Raises UsageError for what makes no sense."""

    def of_run(self, progress: RunProgress) -> Alteration | None:
        """The same of a run that goes; None for what can be done only once it is over.

        Where the run is further on than the call's layer, the engine refuses. Raises UsageError for what
        cannot be done now.
        """


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask an agent again."""

    call: CallId

    def of_turn(self, turn: Turn) -> Rerun:
        """Everything but the agent's reply and what follows it is kept."""
        replies = _replies(turn)
        _reply(replies, self.call)
        return Rerun(turn.recipe, _others_until(turn.recipe, replies, self.call))

    def of_run(self, progress: RunProgress) -> Alteration:
        """Ask the agent once more beside its answer, which is left out."""
        return _in_place_of(progress.turn.recipe, self.call, _agent(progress.turn.recipe, self.call))


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Go on without an agent's answer; or take it back in, where it was left out before."""

    call: CallId

    def of_turn(self, turn: Turn) -> Rerun:
        """What follows the agent is run anew. Raises UsageError for the last answer of a layer."""
        replies = _replies(turn)
        reply = _reply(replies, self.call)
        name = f"{self.call} {reply.agent}"
        if _writes_the_answer(turn, self.call):
            raise UsageError(f"{name} wrote the answer: there is nothing after it to go without it")
        layer, seats = turn.recipe.layers[self.call.layer - 1], len(turn.recipe.lineup[self.call.layer - 1])
        accepted = ("done", "partial") if layer.use_partial else ("done",)
        if reply.status == "excluded":
            changed = restored_reply(self.call, reply)
        elif reply.text.strip() and (
            reply.status in accepted or (layer.use_partial and _was_left_behind(reply))
        ):
            changed = left_out_reply(self.call, reply)
        else:
            raise UsageError(f"{name} has no answer that could be left out")
        kept = {**_until(turn.recipe, replies, self.call), self.call: changed}
        has_other = any(
            reply.status in accepted for call, reply in kept.items() if call.layer == self.call.layer
        )
        if not has_other and (layer.window is None or self.call.index == seats):
            raise UsageError(f"{name} is the last answer of its layer: without it there is none")
        return Rerun(turn.recipe, kept)

    def of_run(self, progress: RunProgress) -> Alteration:
        """An agent of the layer at work, whether it has answered or is writing."""
        reply = progress.replies.get(self.call)
        calls = frozenset((self.call,))
        if reply is not None and reply.status == "excluded":
            return Alteration(progress.turn.recipe, take_in=calls)
        return Alteration(progress.turn.recipe, leave_out=calls)


@dataclass(frozen=True, slots=True)
class EditAnswer:
    """Put a text of one's own in the place of an agent's answer."""

    call: CallId
    text: str

    def of_turn(self, turn: Turn) -> Rerun:
        """What follows the agent is run anew."""
        replies = _replies(turn)
        reply = _reply(replies, self.call)
        name = f"{self.call} {reply.agent}"
        if _writes_the_answer(turn, self.call):
            raise UsageError(f"{name} wrote the answer itself; nothing comes after it")
        _refuse_empty(self.text)
        notes = (*reply.notes, f"{name}: edited by hand")
        changed = replace(reply, text=self.text, status="done", error=None, notes=notes)
        return Rerun(turn.recipe, {**_until(turn.recipe, replies, self.call), self.call: changed})

    def of_run(self, progress: RunProgress) -> Alteration:
        """The text joins the layer at work beside the answer, which is left out."""
        _refuse_empty(self.text)
        recipe = progress.turn.recipe
        agent = _agent(recipe, self.call)
        edited = agent.model_copy(update={"name": f"{agent.name}, edited"})
        changed, seat = with_agent(recipe, edited, self.call.layer)
        reply = _written(seat, changed, self.text, "edited by hand")
        return Alteration(changed, leave_out=frozenset((self.call,)), given={seat: reply})


@dataclass(frozen=True, slots=True)
class AddAnswer:
    """Add an answer of one's own beside those that the last layer reads."""

    text: str

    def of_turn(self, turn: Turn) -> Rerun:
        """The layers that read it are run anew."""
        replies = _replies(turn)
        recipe, call, reply = self._seated(turn.recipe)
        return Rerun(recipe, {**_until(recipe, replies, call), call: reply})

    def of_run(self, progress: RunProgress) -> Alteration:
        """It joins its layer at once."""
        recipe, call, reply = self._seated(progress.turn.recipe)
        return Alteration(recipe, given={call: reply})

    def _seated(self, recipe: Recipe) -> tuple[Recipe, CallId, Reply]:
        """`recipe` with a seat for the answer, the seat, and the answer as its reply."""
        if not self.text.strip():
            raise UsageError("an answer is needed, as in /propose The moa died out around 1440.")
        changed, seat = with_own_seat(recipe, "you")
        return changed, seat, _written(seat, changed, self.text, BY_HAND)


@dataclass(frozen=True, slots=True)
class AddAgent:
    """Ask one more agent, beside those that the last layer reads. It is given the recipe's defaults."""

    agent: Agent

    def of_turn(self, turn: Turn) -> Rerun:
        """The agent is asked, and the layers that read it are run anew."""
        replies = _replies(turn)
        recipe, call = with_agent(turn.recipe, self._agent(turn.recipe))
        return Rerun(recipe, _until(recipe, replies, call))

    def of_run(self, progress: RunProgress) -> Alteration:
        """The agent joins its layer at once."""
        recipe = progress.turn.recipe
        return Alteration(with_agent(recipe, self._agent(recipe))[0])

    def _agent(self, recipe: Recipe) -> Agent:
        return self.agent.with_defaults(recipe.defaults)


@dataclass(frozen=True, slots=True)
class SwapModel:
    """Ask another model, or the same one with other settings, in an agent's place.

    `settings` has what is to change, by the names of Agent's fields.
    """

    call: CallId
    settings: Mapping[str, object]

    def of_turn(self, turn: Turn) -> Rerun:
        """The new agent is asked, and what follows it is run anew."""
        replies = _replies(turn)
        _reply(replies, self.call)
        recipe = self._swapped(turn.recipe)
        return Rerun(recipe, _others_until(recipe, replies, self.call))

    def of_run(self, progress: RunProgress) -> Alteration:
        """In the layer at work the new agent joins beside the old one; in a later one it takes its seat."""
        recipe = progress.turn.recipe
        if self.call.layer <= progress.layer:
            agent = _agent(recipe, self.call).model_copy(update=dict(self.settings))
            return _in_place_of(recipe, self.call, agent)
        return Alteration(self._swapped(recipe))

    def _swapped(self, recipe: Recipe) -> Recipe:
        """`recipe` with the new agent; in a layer with a window it reads this piece and those to come."""
        agent = _agent(recipe, self.call)
        agents = list(recipe.listed_agents(self.call.layer))
        place = 0 if recipe.layers[self.call.layer - 1].window is not None else self.call.index - 1
        agent = agent.model_copy(update={"name": agents[place].name})
        agents[place] = agent.model_copy(update=dict(self.settings))
        return with_seats(recipe, self.call.layer, tuple(agents))


@dataclass(frozen=True, slots=True)
class AggregateBy:
    """Let the answers that are there be aggregated by another recipe's layers after its first."""

    recipe: Recipe

    def of_turn(self, turn: Turn) -> Rerun:
        """Raises UsageError where there is no answer to keep, or nothing in the recipe that reads answers."""
        last = answering_layer(turn.recipe)
        kept = {
            call: reply
            for call, reply in whole_replies(turn.recipe, _replies(turn)).items()
            if call.layer <= last
        }
        if not any(reply.status == "done" and call.layer == last for call, reply in kept.items()):
            raise UsageError("no proposer's answer could be kept; /retry asks them all")
        return Rerun(with_layers_of(turn.recipe, last, self.recipe), kept)

    def of_run(self, progress: RunProgress) -> None:
        """Only a turn that is over is aggregated by another recipe."""


@dataclass(frozen=True, slots=True)
class Reword:
    """Let the last layer work by other instructions, its references kept."""

    prompt: str

    def of_turn(self, turn: Turn) -> Rerun:
        """Only the last layer is run anew."""
        recipe = with_prompt(turn.recipe, self.prompt)
        kept = {
            call: reply
            for call, reply in whole_replies(turn.recipe, _replies(turn)).items()
            if call.layer < len(recipe.layers)
        }
        return Rerun(recipe, kept)

    def of_run(self, progress: RunProgress) -> None:
        """Only a turn that is over is written by other instructions."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on where a run was stopped."""

    def of_turn(self, turn: Turn) -> Rerun:
        """Every whole answer is kept."""
        return Rerun(turn.recipe, whole_replies(turn.recipe, _replies(turn)))

    def of_run(self, progress: RunProgress) -> None:
        """A run that goes has nothing to resume."""


def model_settings(
    model: str, api_base: str | None = None, extra: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The settings of an agent that is to ask another model: all that hung on its old one is gone."""
    return {
        "model": model,
        "name": "",
        "fallback": (),
        "api_base": api_base,
        "api_key_env": None,
        "extra": dict(extra or {}),
    }


def _replies(turn: Turn) -> Mapping[CallId, Reply]:
    if turn.outcome is None:
        raise UsageError("the run has not ended: wait for it, or stop it with Esc")
    return turn.outcome.replies


def _reply(replies: Mapping[CallId, Reply], call: CallId) -> Reply:
    if call not in replies:
        raise UsageError(f"{call} was not asked in this turn")
    return replies[call]


def _was_left_behind(reply: Reply) -> bool:
    """True for an agent that its layer went on without."""
    return reply.error is not None and reply.error.kind == "left_behind"


def whole_replies(recipe: Recipe, replies: Mapping[CallId, Reply]) -> dict[CallId, Reply]:
    """The replies that need no other try, those that were left out by hand among them.

    An agent that its layer went on without is not asked again either: the run had what it needed. In a layer
    with a window each piece reads the one before, so those behind a piece that is to be asked again are left
    out too.
    """
    whole: dict[CallId, Reply] = {}
    for call, reply in sorted(replies.items()):
        layer = recipe.layers[call.layer - 1] if call.layer <= len(recipe.layers) else None
        has_window = layer is not None and layer.window is not None
        is_whole = reply.status in _WHOLE or (_was_left_behind(reply) and not has_window)
        is_piece = has_window and call.index > 1
        if is_whole and not (is_piece and CallId(call.layer, call.index - 1) not in whole):
            whole[call] = reply
    return whole


def _until(recipe: Recipe, replies: Mapping[CallId, Reply], last: CallId) -> dict[CallId, Reply]:
    """Everything that does not stand downstream of `last`: of its own layer, all but later pieces.

    Where `last` had begun beside the layer before it and was stopped, the answers that were stopped with it
    are not there.
    """
    layers = _downstream(recipe, last.layer)
    own = replies.get(last)
    was_beside = own is not None and own.steps and own.status == "stopped"
    has_window = recipe.layers[last.layer - 1].window is not None
    return {
        call: reply
        for call, reply in replies.items()
        if call.layer not in layers
        and not (was_beside and reply.status == "stopped" and not _was_left_behind(reply))
        and not (has_window and call.layer == last.layer and call.index > last.index)
    }


def _others_until(recipe: Recipe, replies: Mapping[CallId, Reply], last: CallId) -> dict[CallId, Reply]:
    return {call: reply for call, reply in _until(recipe, replies, last).items() if call != last}


def _downstream(recipe: Recipe, number: int) -> set[int]:
    """The layers that read layer `number`, or one that does, and the last one in any case.

    Where layers may be skipped, what a later one reads is known only once it runs: all of them are named.
    """
    numbers = range(1, len(recipe.layers) + 1)
    if any(recipe.layers[each - 1].early_stop or recipe.task(each) == "moderate" for each in numbers):
        return set(numbers[number:])
    downstream = {number}
    for each in numbers[number:]:
        if each == len(recipe.layers) or downstream & set(recipe.read_layers(each, range(1, each))):
            downstream.add(each)
    return downstream - {number}


def _writes_the_answer(turn: Turn, call: CallId) -> bool:
    """True where the text of `call` is the turn's answer, so that nothing is there to read it."""
    recipe, last = turn.recipe, len(turn.recipe.layers)
    if call.layer < last or not recipe.writes(last):
        return False
    if recipe.layers[-1].window is None or call.index == len(recipe.lineup[-1]):
        return True
    has_ended = turn.outcome is not None and turn.outcome.status == "done"
    return has_ended and call == max(each for each in _replies(turn) if each.layer == last)


def _refuse_empty(text: str) -> None:
    if not text.strip():
        raise UsageError("an empty answer helps nobody; leave it out instead")


def _agent(recipe: Recipe, call: CallId) -> Agent:
    if not 1 <= call.layer <= len(recipe.lineup) or not 1 <= call.index <= len(recipe.lineup[call.layer - 1]):
        raise UsageError(f"there is no agent {call.index} in layer {call.layer}")
    return recipe.lineup[call.layer - 1][call.index - 1]


def _written(call: CallId, recipe: Recipe, text: str, how: str) -> Reply:
    """A reply that a person wrote for a seat of `recipe`; its note says so."""
    name = _agent(recipe, call).name
    note = f"{call} {name}: {how}"
    return Reply(name, BY_HAND, "done", text=text, usage=Usage(estimated=False), cost=0.0, notes=(note,))


def _in_place_of(recipe: Recipe, call: CallId, agent: Agent) -> Alteration:
    calls = frozenset((call,))
    if call.layer == len(recipe.layers):
        # One agent writes the answer, so none can join it: the engine refuses, whatever is asked of it.
        return Alteration(recipe, leave_out=calls)
    return Alteration(with_agent(recipe, agent, call.layer)[0], leave_out=calls)
