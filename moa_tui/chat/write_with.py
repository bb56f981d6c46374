"""The writing of an answer once more, with points in it that it had left out. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moa_tui.chat.changes import BY_HAND, Rerun
from moa_tui.engine import layer_result, recipe_edit
from moa_tui.engine.checklist import task_list
from moa_tui.engine.parsing import MOST_POINTS, parse_points
from moa_tui.engine.values import CallId, Reply, Usage
from moa_tui.errors import UsageError
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from moa_tui.chat.run_handle import RunProgress
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe


@dataclass(frozen=True, slots=True)
class WriteWith:
    """A `chat.changes.Change`: write the answer again with points in it that it left out.

    The agent that writes is sent the same answers, and the points as a checklist of what has to be in the
    answer. Points that it was given before, as of an answer that was written so already, stay in force.
    """

    points: tuple[str, ...]

    def of_turn(self, turn: Turn) -> Rerun:
        """Only the last layer is run anew, in one call.

        Raises UsageError where the recipe has no agent that could write with them, or they are too many.
        """
        if turn.outcome is None:
            raise UsageError("the run has not ended: wait for it, or stop it with Esc")
        replies = turn.outcome.replies
        recipe = recipe_edit.with_checklist(
            recipe_edit.with_writer(turn.recipe, {call.layer for call in replies})
        )
        number = recipe_edit.read_checklist(recipe)
        if number is None:
            raise UsageError(f"recipe {turn.recipe.name} has a checklist that its last layer does not read")
        call = CallId(number, 1)
        before = replies.get(call) if recipe_edit.read_checklist(turn.recipe) == number else None
        # Even answers that failed are not asked for again.
        kept = {
            each: _without_closing(turn.recipe, recipe, each, reply)
            for each, reply in replies.items()
            if each.layer < number or number < each.layer < len(recipe.layers)
        }
        return Rerun(recipe, {**kept, call: self._checklist(call, before)})

    def of_run(self, progress: RunProgress) -> None:
        """Only the answer of a turn that is over is written again."""

    def _checklist(self, call: CallId, before: Reply | None) -> Reply:
        """The reply that tells the writer the points, beside those of a checklist that it had before."""
        points = {point.text.casefold(): point for point in (before and parse_points(before.text)) or ()}
        marked = [one_line(text) for text in self.points]
        for text in marked:
            points.pop(text.casefold(), None)
        texts = [*(point.text for point in points.values()), *dict.fromkeys(marked)]
        ticked = {place for place, point in enumerate(points.values()) if point.ticked}
        ticked |= set(range(len(points), len(texts)))
        if len(texts) > MOST_POINTS:
            others = f" beside the {len(points)} of its checklist" if points else ""
            raise UsageError(
                f"{len(marked)} points are marked, and an answer can be given "
                f"{max(0, MOST_POINTS - len(points))}{others}: mark fewer"
            )
        note = f"{call} you: {counted(len(self.points), 'point')} marked that the answer had left out"
        text = task_list(texts, ticked)
        return Reply("you", BY_HAND, "done", text=text, usage=Usage(estimated=False), cost=0.0, notes=(note,))


def _without_closing(before: Recipe, after: Recipe, call: CallId, reply: Reply) -> Reply:
    """`reply` without the closing lines that its layer asked for and the changed layer knows nothing of."""
    if call.layer > len(before.layers):
        return reply
    layer = before.layers[call.layer - 1]
    if layer.closing_lines == after.layers[call.layer - 1].closing_lines:
        return reply
    return replace(reply, text=layer_result.answer_text(layer, reply.text))
