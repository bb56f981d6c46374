"""What the kept conversations came to, counted."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moa_tui.conversation import Conversation, Turn
from moa_tui.engine.events import CallEnded, CallStarted
from moa_tui.engine.values import CallId, Failure, Usage
from moa_tui.stats.figures import GROUP_KINDS
from moa_tui.store import Store
from moa_tui.store.figures import figures
from moa_tui.store.schema import connect
from tests.conversations import NOON, a_conversation, a_recipe, a_reply, a_turn, an_outcome, conversations
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Reply
    from moa_tui.stats.figures import Figures, Group

ONE, TWO, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)


def counted(store: Store, since: float | None = None) -> Figures:
    connection = connect(store.path)
    try:
        return figures(connection, since=since)
    finally:
        connection.close()


def named(groups: tuple[Group, ...]) -> dict[str, Group]:
    return {group.name: group for group in groups}


def saved(store: Store, *turns: Turn, **more: Any) -> Conversation:
    conversation = Conversation(turns, turns[-1], created=NOON, **more)
    store.save(conversation)
    return conversation


def replies(**changed: Reply) -> dict[CallId, Reply]:
    """Two proposers' replies and the answer made of them, unless `one`, `two` or `judge` is another."""
    made = {
        "one": a_reply("A word of one.", agent="one", model="lab/one"),
        "two": a_reply("A word of two.", agent="two", model="lab/two"),
        "judge": a_reply("The answer.", agent="judge", model="lab/judge"),
    }
    return dict(zip((ONE, TWO, JUDGE), (made | changed).values(), strict=True))


def ended(
    found: Mapping[CallId, Reply], recipe: Recipe | None = None, created: float = NOON, **more: Any
) -> Turn:
    """A turn whose run came to these replies."""
    return Turn("A question?", recipe or a_recipe(), an_outcome(found, **more), created=created)


def test_nothing_kept_counts_as_nothing(store: Store) -> None:
    found = counted(store)
    assert (found.total.turns, found.total.calls, found.total.cost) == (0, 0, 0.0)
    assert (found.total.seconds, found.total.overlap) == (None, None)
    assert found.recipes == found.models == found.agents == found.months == ()


def test_a_run_is_counted_by_recipe_model_agent_and_month(store: Store) -> None:
    slow = a_reply("A word of two.", agent="two", model="lab/two", started=1.0, first_token=3.0, ended=9.0)
    turn = ended(replies(two=slow), seconds=12.0)
    saved(store, turn)
    assert turn.outcome is not None
    found = counted(store)
    total = found.total
    assert (total.turns, total.calls, total.prompt_tokens, total.completion_tokens) == (1, 3, 360, 120)
    assert total.cost == pytest.approx(0.006)
    assert (total.unpriced, total.estimated, total.unfinished) == (0, 0, 0)
    assert (total.proposed, total.used, total.left_out, total.taken) == (2, 2, 0, 0)
    (of_recipe,), (of_month,) = found.recipes, found.months
    assert of_recipe == replace(total, name="test")
    assert of_month == replace(total, name=time.strftime("%Y-%m", time.localtime(NOON)))
    assert of_recipe.seconds == 12.0
    assert of_recipe.first_token_seconds == turn.outcome.metrics.first_final_token_seconds == 1.0
    two = named(found.models)["lab/two"]
    assert (two.turns, two.calls, two.proposed, two.used) == (1, 1, 1, 1)
    assert (two.first_token_seconds, two.seconds) == (2.0, 8.0)
    assert two.overlap == turn.outcome.metrics.overlap[1].ngram_share
    judge = named(found.agents)["judge"]
    assert (judge.calls, judge.proposed, judge.used, judge.overlap) == (1, 0, 0, None)


def test_those_with_the_most_calls_come_first_and_months_in_their_order(store: Store) -> None:
    late = NOON + 90 * 24 * 3600
    saved(store, ended(replies(one=a_reply(agent="zoe", model="lab/zoe")), created=late))
    saved(store, ended(replies(one=a_reply(agent="zoe", model="lab/zoe")), created=late))
    saved(store, ended(replies()))
    found = counted(store)
    assert [group.name for group in found.agents] == ["judge", "two", "zoe", "one"]
    assert [group.name for group in found.models] == ["lab/judge", "lab/two", "lab/zoe", "lab/one"]
    assert [group.calls for group in found.months] == [3, 6]


def test_times_are_medians_and_overlap_is_a_mean(store: Store) -> None:
    shares = []
    for number, text in enumerate(("The answer is of one.", "Nothing alike.", "The answer is new.")):
        one = a_reply(text, agent="one", model="lab/one", started=0.0, ended=10.0**number)
        judge = a_reply("The answer is of one.", agent="judge", model="lab/judge")
        turn = ended(replies(one=one, judge=judge), seconds=[1.0, 50.0, 2.0][number])
        saved(store, turn)
        assert turn.outcome is not None
        shares.append(turn.outcome.metrics.overlap[0].ngram_share)
    found = counted(store)
    assert found.total.seconds == 2.0
    assert named(found.models)["lab/one"].seconds == 10.0
    assert len(set(shares)) == 3
    assert named(found.models)["lab/one"].overlap == pytest.approx(sum(shares) / 3)


def test_what_was_kept_from_an_earlier_run_is_not_paid_again(store: Store) -> None:
    first = ended(replies())
    assert first.outcome is not None
    kept = {call: replace(reply, reused=True) for call, reply in first.outcome.replies.items()}
    saved(store, first, ended({**kept, JUDGE: replies()[JUDGE]}))
    found = counted(store)
    assert (found.total.turns, found.total.calls) == (2, 4)
    assert found.total.cost == pytest.approx(0.008)
    one = named(found.models)["lab/one"]
    assert (one.turns, one.calls, one.prompt_tokens) == (2, 1, 120)
    # Its answer was read twice all the same.
    assert (one.proposed, one.used) == (2, 2)


def test_an_answer_taken_by_hand_counts_as_that_and_as_nothing_else(store: Store) -> None:
    first = ended(replies())
    assert first.outcome is not None
    kept = {call: replace(reply, reused=True) for call, reply in first.outcome.replies.items()}
    taken = replace(first.outcome, replies=kept, answer="A word of two.", cost=0.0)
    before = ended(replies())
    saved(store, before)
    alone = counted(store)
    saved(store, first, Turn("A question?", a_recipe(), taken, created=NOON))
    found = counted(store)
    assert [named(found.models)[f"lab/{name}"].taken for name in ("one", "two", "judge")] == [0, 1, 0]
    assert (found.total.turns, found.total.taken) == (3, 1)
    two = named(found.models)["lab/two"]
    assert (two.calls, two.proposed, two.used) == (2, 2, 2)
    assert two.overlap == named(alone.models)["lab/two"].overlap
    assert found.recipes[0].seconds == alone.recipes[0].seconds


def test_a_run_that_ended_before_it_asked_anyone_took_nothing_by_hand(store: Store) -> None:
    empty = a_reply("", "failed", agent="one", model="lab/one", reused=True)
    two = replace(replies()[TWO], reused=True)
    saved(store, ended({ONE: empty, TWO: two}, status="stopped", answer=""))
    assert counted(store).total.taken == 0


def test_an_answer_left_out_by_hand_is_not_used(store: Store) -> None:
    out = a_reply("A word of one.", "excluded", agent="one", model="lab/one", reused=True)
    saved(store, ended(replies(one=out)))
    one = named(counted(store).models)["lab/one"]
    assert (one.calls, one.proposed, one.used, one.left_out) == (0, 1, 0, 1)


@pytest.mark.parametrize(("use_partial", "used"), [(False, 0), (True, 1)])
def test_half_an_answer_is_used_where_the_layer_says_so(store: Store, use_partial: bool, used: int) -> None:
    lenient = recipe({"agents": ["one", "two"], "use_partial": use_partial}, ["judge"])
    half = a_reply("A word", "partial", agent="one", model="lab/one")
    saved(store, ended(replies(one=half), lenient))
    assert named(counted(store).models)["lab/one"].used == used


@pytest.mark.parametrize(("use_partial", "used"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("kind", ["left_behind", "stopped"])
def test_what_a_straggler_had_written_is_used_where_the_layer_says_so(
    store: Store, use_partial: bool, used: int, kind: Any
) -> None:
    lenient = recipe({"agents": ["one", "two"], "use_partial": use_partial}, ["judge"])
    straggler = a_reply("A wo", "stopped", agent="one", model="lab/one", error=Failure(kind, "ended"))
    saved(store, ended(replies(one=straggler), lenient))
    assert named(counted(store).models)["lab/one"].used == (used if kind == "left_behind" else 0)


def test_an_answer_is_not_used_where_no_later_layer_was_asked(store: Store) -> None:
    found = {call: reply for call, reply in replies().items() if call != JUDGE}
    saved(store, ended(found, status="stopped", answer=""))
    total = counted(store).total
    assert (total.proposed, total.used) == (2, 0)


def test_who_ranks_or_judges_proposes_nothing(store: Store) -> None:
    ranked = recipe(["one", "two"], {"agents": ["ranker"], "task": "rank"}, ["judge"])
    made = replies()
    made = {
        ONE: made[ONE],
        TWO: made[TWO],
        JUDGE: a_reply("RANKING: 1 > 2", agent="ranker"),
        CallId(3, 1): made[JUDGE],
    }
    saved(store, ended(made, ranked))
    agents = named(counted(store).agents)
    assert (agents["ranker"].calls, agents["ranker"].proposed, agents["ranker"].used) == (1, 0, 0)
    assert (agents["one"].proposed, agents["one"].used) == (1, 1)


@pytest.mark.parametrize(("status", "used"), [("done", 1), ("stopped", 0)])
def test_what_a_vote_chose_from_was_used(store: Store, status: Any, used: int) -> None:
    made = replies()
    del made[JUDGE]
    saved(store, ended(made, recipe(["one", "two"], {"task": "vote"}), status=status))
    assert [named(counted(store).agents)[name].used for name in ("one", "two")] == [used, used]


def test_failed_partial_and_stopped_calls_are_told_apart(store: Store) -> None:
    statuses = ("failed", "failed", "partial", "stopped", "done")
    judge = CallId(2, 1)
    found = {
        CallId(1, number): a_reply("text", status, agent="one", model="lab/one")  # type: ignore[arg-type]
        for number, status in enumerate(statuses, 1)
    }
    saved(store, ended({**found, judge: replies()[JUDGE]}, a_recipe(5)))
    one = named(counted(store).models)["lab/one"]
    assert (one.calls, one.failed, one.partial, one.stopped) == (5, 2, 1, 1)


def test_a_call_that_was_never_sent_is_no_call(store: Store) -> None:
    waiting = a_reply("", "stopped", agent="two", model="lab/two", started=None, first_token=None, cost=0.0)
    saved(store, ended(replies(two=waiting)))
    two = named(counted(store).models)["lab/two"]
    assert (two.turns, two.calls, two.stopped, two.seconds) == (1, 0, 0, None)


def test_unknown_prices_and_estimated_tokens_are_counted_as_such(store: Store) -> None:
    free = a_reply("text", agent="one", model="lab/one", cost=None, usage=Usage(10, 20, estimated=True))
    saved(store, ended(replies(one=free)))
    found = counted(store)
    assert (found.total.unpriced, found.total.estimated) == (1, 1)
    assert found.total.cost == pytest.approx(0.004)
    assert named(found.models)["lab/one"].cost == 0.0


def test_a_turn_without_an_end_counts_with_the_calls_that_have_one(store: Store) -> None:
    turn = Turn("A question?", a_recipe(), created=NOON)
    recording = store.record(Conversation(), turn)
    one, two = turn.recipe.lineup[0]
    for call, agent in ((ONE, one), (TWO, two)):
        recording.take(CallStarted(call, agent, ({"role": "user", "content": "A question?"},), 0.1))
    recording.take(CallEnded(ONE, a_reply("text", agent=one.name, model=one.model)))
    assert len(store.summaries()) == 1  # All of it is written now.
    total = counted(store).total
    assert (total.turns, total.calls, total.unfinished, total.prompt_tokens) == (1, 2, 1, 120)
    assert total.seconds is None


def test_deleted_conversations_do_not_count_and_archived_ones_do(store: Store) -> None:
    kept, gone = a_conversation(2, archived=True), a_conversation(3)
    store.save(kept)
    store.save(gone)
    store.change(gone.id, deleted=NOON)
    assert counted(store).total.turns == 2


def test_a_turn_counts_once_however_many_forks_hold_it(store: Store) -> None:
    conversation = a_conversation(3)
    fork = Conversation(conversation.turns[:2], conversation.turns[1], forked_from=conversation.id)
    store.save(conversation)
    store.save(fork)
    assert counted(store).total.turns == 3
    assert counted(store).total.calls == 9
    store.change(conversation.id, deleted=NOON)
    assert counted(store).total.turns == 2


def test_only_what_was_sent_since_then_counts(store: Store) -> None:
    store.save(a_conversation(5))  # The first a minute after NOON, one a minute.
    found = counted(store, since=NOON + 240)
    assert (found.total.turns, found.total.calls, found.since) == (2, 6, NOON + 240)


def test_months_are_those_of_the_local_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        monkeypatch.setenv("TZ", "UTC0")
        time.tzset()
        store.save(Conversation((a_turn(created=1_751_327_940.0),)))  # 30 June 2025, 23:59 UTC
        assert [month.name for month in counted(store).months] == ["2025-06"]
        monkeypatch.setenv("TZ", "EAST-2")
        time.tzset()
        assert [month.name for month in counted(store).months] == ["2025-07"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_time_beyond_all_months_is_counted_too(store: Store) -> None:
    saved(store, ended(replies(), created=1e18))
    saved(store, ended(replies()))
    assert [month.turns for month in counted(store).months] == [1, 1]
    assert counted(store).months[-1].name == "unknown"
    assert counted(store).months[-1].calls == 3


@settings(max_examples=25, deadline=None)
@given(st.lists(conversations(3), max_size=3))
def test_the_parts_make_the_whole(tmp_path_factory: pytest.TempPathFactory, kept: list[Conversation]) -> None:
    with Store(tmp_path_factory.mktemp("any") / "kept.db") as store:
        for conversation in kept:
            store.save(conversation)
        found = counted(store)
    made = [
        reply
        for conversation in kept
        for turn in conversation.turns
        if turn.outcome is not None
        for reply in turn.outcome.replies.values()
        if not reply.reused and reply.started is not None
    ]
    assert found.total.turns == sum(len(conversation.turns) for conversation in kept)
    assert found.total.calls == len(made)
    for name in ("prompt_tokens", "cached_tokens", "cache_write_tokens"):
        assert getattr(found.total, name) == sum(getattr(reply.usage, name) for reply in made)
    assert found.total.cost == pytest.approx(sum(reply.cost or 0.0 for reply in made))
    assert found.total.failed == sum(reply.status == "failed" for reply in made)
    for kind in GROUP_KINDS:
        groups = found.groups(kind)
        for name in (
            "calls",
            "completion_tokens",
            "cached_tokens",
            "unpriced",
            "partial",
            "proposed",
            "used",
        ):
            assert sum(getattr(group, name) for group in groups) == getattr(found.total, name)
