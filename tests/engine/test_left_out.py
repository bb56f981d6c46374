"""What a final answer left out of the answers it was written from."""

from __future__ import annotations

from moa_tui.engine.left_out import left_out, points
from moa_tui.engine.values import CallId, Metrics, Outcome, Reply

ONE, TWO, LAST = CallId(1, 1), CallId(1, 2), CallId(2, 1)
FINAL = """Feed the starter once a week in the fridge with equal weights of flour and water.

- Discard half before each feeding.
- Use filtered water, since chlorine slows the yeast.

It doubles in 4 to 6 hours when it is ready."""
THOROUGH = """Great question! Here are some tips:

## Feeding
1. **Feed weekly**: In the fridge, feed the starter every week with the same weight of flour and water.
2. **Water**: Chlorine in tap water can slow down the yeast, so filter it.
3. Mark the jar with a rubber band to see how it rises.
4. Do not discard half before feeding.

It should double within 4-8 hours.

I hope this helps! Do you want a recipe?"""
SHORT = """Put a rubber band around the jar to see how it rises. **Rye flour wakes up a sluggish starter.**
Discard half of it before each feeding."""


def outcome_of(final: str, *texts: str) -> Outcome:
    replies = {
        CallId(1, index): Reply(f"agent {index}", "fake/model", "done", text=text)
        for index, text in enumerate(texts, 1)
    }
    replies[LAST] = Reply("writer", "fake/model", "done", text=final)
    return Outcome("done", final, replies, Metrics())


def test_a_point_has_its_words_its_agents_and_its_place() -> None:
    found = left_out(outcome_of(FINAL, THOROUGH, SHORT))
    assert [(point.text, point.calls) for point in found] == [
        ("Mark the jar with a rubber band to see how it rises.", (ONE, TWO)),
        ("Do not discard half before feeding.", (ONE,)),
        ("It should double within 4-8 hours.", (ONE,)),
        ("Rye flour wakes up a sluggish starter.", (TWO,)),
    ]
    texts = {ONE: THOROUGH, TWO: SHORT}
    assert all(texts[point.calls[0]][point.start : point.end] == point.text for point in found)


def test_nothing_is_left_out_of_an_answer_by_itself() -> None:
    assert points(FINAL, {ONE: FINAL}) == ()
