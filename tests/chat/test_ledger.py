"""What may be spent: counted call by call, held before each layer, passed only when a person says so."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, cast

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.changes import AddAgent, Resume, Retry
from moa_tui.chat.chat import Chat
from moa_tui.chat.conversations import Conversations
from moa_tui.chat.ledger import Account, CapWarnings, Ledger, cap_words, is_near
from moa_tui.chat.session import ChatSession
from moa_tui.engine.agent import Agent
from moa_tui.engine.events import StepEnded
from moa_tui.engine.plan import Cap
from moa_tui.engine.values import CallId, Chunk, Finish, Reply, Usage
from moa_tui.errors import ModelError, UsageError
from moa_tui.settings.config import Budget
from moa_tui.store import Store
from tests.chat.helpers import Gate, events_of, settled, wait_for_text
from tests.fakes import FakeGateway, FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moa_tui.conversation import Turn
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.thread import EngineThread

# Each answer costs five cents, far more than the tokens it was expected to take.
RECIPE = recipe(["a", "b"], ["w"], agents={name: {"model": name, "max_tokens": 10} for name in "abw"})
PAID = Finish("stop", Usage(0, 5, estimated=False), 0.05)
FREE = Finish("stop", Usage(0, 5, estimated=False), 0.0)


@pytest.fixture
def store(tmp_path: Path, days: Days) -> Iterator[Store]:
    with Store(tmp_path / "kept.db", today=days) as store:
        yield store


@pytest.fixture
def models() -> FakeModels:
    return FakeModels(**{name: [[Chunk("text", f"{name} answers"), PAID]] for name in ("a", "b", "w", "new")})


class Days:
    """A calendar that the test turns over."""

    def __init__(self) -> None:
        self.day = "2026-03-14"

    def __call__(self) -> str:
        return self.day


@pytest.fixture
def days() -> Days:
    return Days()


class Shop:
    """Chats over one engine and one set of models, at a hundredth of a cent for a token that is expected."""

    def __init__(self, engine: EngineThread, models: FakeModels, store: Store | None, days: Days) -> None:
        self.engine, self.models, self.store, self.days = engine, models, store, days
        self.gateway = FakeGateway(models)
        self.gateway.price = 0.0001

    def chat(self, *, private: bool = False, **budget: float) -> Chat:
        ledger = Ledger(Budget(**budget), self.store, self.days)
        backend = Backend(cast("Gateway", self.gateway), self.engine, self.store, ledger)
        return Chat(backend, RECIPE, private=private)

    @property
    def asked(self) -> str:
        return "".join(name * len(calls) for name, calls in self.models.asked.items())


@pytest.fixture
def shop(engine: EngineThread, models: FakeModels, store: Store, days: Days) -> Shop:
    return Shop(engine, models, store, days)


def caps_of(chat: Chat) -> tuple[Cap, ...]:
    return chat.backend.ledger.caps(chat.conversation.id)


def why(turn: Turn) -> tuple[str, str]:
    assert turn.outcome is not None
    assert turn.outcome.error is not None
    return turn.outcome.error.kind, turn.outcome.error.message


# --- held -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conversation", "day"])
def test_a_run_stops_before_the_layer_that_would_pass_a_budget(shop: Shop, name: str) -> None:
    chat = shop.chat(**{name: 0.11})
    turn = settled(chat, chat.send("?"))
    kind, message = why(turn)
    assert kind == "budget"
    assert message.startswith(f"stopped before layer 2: $0.1000 of the {name}'s budget of $0.11 are spent")
    assert turn.outcome is not None
    assert turn.outcome.status == "stopped"
    assert shop.asked == "ab", "no call went out after the stop"


def test_nothing_at_all_is_asked_where_the_first_layer_would_pass_it(shop: Shop) -> None:
    chat = shop.chat(day=0.001)
    assert why(settled(chat, chat.send("?")))[0] == "budget"
    assert shop.asked == ""


def test_going_on_over_the_budget_asks_only_what_was_missing(shop: Shop) -> None:
    chat = shop.chat(day=0.11)
    stopped = settled(chat, chat.send("?"))
    turn = settled(chat, chat.rerun(stopped, Resume().of_turn(stopped), over_budget=True))
    assert turn.outcome is not None
    assert (turn.outcome.status, turn.outcome.answer) == ("done", "w answers")
    assert shop.asked == "abw"
    assert [one.outcome and one.outcome.status for one in chat.conversation.turns] == ["stopped", "done"]
    # It was passed this once.
    assert why(settled(chat, chat.send("and?")))[0] == "budget"
    assert shop.asked == "abw"


def test_what_costs_nothing_goes_on_however_much_is_spent(shop: Shop) -> None:
    chat = shop.chat(day=0.11)
    settled(chat, chat.send("?"))
    shop.gateway.price = 0.0
    shop.models.scripts = {name: [["free", FREE]] for name in "abw"}
    turn = settled(chat, chat.send("and?"))
    assert turn.outcome is not None
    assert turn.outcome.answer == "free"


def test_a_price_that_nobody_knows_is_not_counted_and_said(shop: Shop) -> None:
    shop.gateway.price = None
    shop.models.scripts = {name: [["x", Finish("stop")]] for name in "abw"}
    chat = shop.chat(day=0.001)
    turn = settled(chat, chat.send("?"))
    assert turn.outcome is not None
    assert turn.outcome.status == "done"
    assert turn.outcome.notes == ("price unknown, not counted against the budget: a, b, w",)


def test_an_agent_that_joins_a_run_must_be_within_it_too(shop: Shop) -> None:
    gate = asyncio.Event()
    shop.models.scripts = {**shop.models.scripts, "b": [["b", gate, PAID]]}
    chat = shop.chat(day=0.08)
    running = chat.send("?")
    wait_for_text(running, CallId(1, 2))
    dear = AddAgent(Agent(model="new", max_tokens=1000)).of_run(running.progress())
    with pytest.raises(UsageError, match="would pass what may still be spent"):
        running.alter(dear).result(15)
    assert running.alter(AddAgent(Agent(model="new", max_tokens=1)).of_run(running.progress())).result(15)
    running.stop()
    settled(chat, running)


def test_runs_side_by_side_do_not_spend_the_same_money(shop: Shop) -> None:
    """Of three recipes that may cost a little over 0.10 each, two are refused where 0.20 is left."""
    dear = recipe([{"model": "a", "max_tokens": 1_000}])
    gate = asyncio.Event()
    shop.models.scripts = {"a": [["a", gate, PAID]]}
    chat = shop.chat(day=0.2)
    comparison = chat.compare("?", [dear, dear, dear])
    for run in comparison.runs[1:]:
        events_of(run)
    shop.engine.submit(opened(gate)).result(15)
    events_of(comparison.runs[0])
    outcomes = [turn.outcome for turn in chat.settle_comparison(comparison)]
    assert sorted(outcome.status for outcome in outcomes if outcome) == ["done", "stopped", "stopped"]
    assert shop.asked == "a"
    refused = [outcome.error.message for outcome in outcomes if outcome and outcome.error]
    assert all("held for open calls" in message for message in refused)


async def opened(gate: asyncio.Event) -> None:
    gate.set()


def test_what_an_ended_run_held_is_free_again(shop: Shop) -> None:
    chat = shop.chat(day=0.4)
    shop.models.scripts = {"a": [["a", PAID]]}
    dear = recipe([{"model": "a", "max_tokens": 2_000}])
    for _ in range(3):
        chat.use_recipe(dear)
        settled(chat, chat.send("?"))
    assert shop.asked == "aaa"
    assert not chat.backend.ledger._held


def test_a_call_that_joins_never_waits_for_a_disk_that_hangs(
    shop: Shop, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang, is_asked = threading.Event(), threading.Event()

    def paid_on(day: str) -> float:
        is_asked.set()
        hang.wait(15)
        return 0.0

    monkeypatch.setattr(store, "paid_on", paid_on)
    ledger = Ledger(Budget(day=1.0), store, shop.days)
    first, second = (Account(ledger, "one", is_kept=True) for _ in range(2))
    waiting = threading.Thread(target=first.reserve, args=({CallId(1, 1): 0.6},))
    waiting.start()
    assert is_asked.wait(15)
    assert second.reserve_now({CallId(1, 1): 0.6}) is None
    hang.set()
    waiting.join(15)
    assert first.reserve_now({CallId(1, 1): 0.6}) == Cap("day", 1.0, 0.0, 0.6)


async def test_a_question_beside_the_conversation_is_paid_from_the_same_budgets(
    shop: Shop, store: Store, days: Days
) -> None:
    """As for a title, and for trying a model in the editor of recipes."""
    chat = shop.chat(day=0.2, conversation=0.1)
    agent = Agent(model="a", max_tokens=100)
    assert await chat.try_agent(agent, "?") == "a answers"
    assert [cap.spent for cap in caps_of(chat)] == [pytest.approx(0.05), pytest.approx(0.05)]
    with pytest.raises(ModelError, match="of the conversation's budget of"):
        await chat.try_agent(agent.model_copy(update={"max_tokens": 1_000}), "?")
    assert shop.asked == "a"
    assert store.paid_on(days.day) == pytest.approx(0.05)
    assert not chat.backend.ledger._held


async def test_a_question_in_a_private_conversation_is_not_on_disk(
    shop: Shop, store: Store, days: Days
) -> None:
    chat = shop.chat(private=True, day=1.0)
    await chat.try_agent(Agent(model="a"), "?")
    assert caps_of(chat)[0].spent == pytest.approx(0.05)
    assert store.paid_on(days.day) == 0


async def test_a_model_that_is_tried_with_few_tokens_answers_all_the_same(shop: Shop) -> None:
    shop.models.scripts = {"a": [["half", Finish("length")]]}
    assert await shop.chat().try_agent(Agent(model="a", max_tokens=1), "?") == "half"


def test_a_title_that_the_budget_cannot_pay_is_not_asked_for(shop: Shop) -> None:
    chat = shop.chat(day=0.16)
    settled(chat, chat.send("?"))
    shop.models.scripts = {**shop.models.scripts, "t": [["A title", Finish("stop", Usage(1, 1), 2.5)]]}
    named = Conversations(ChatSession(chat)).name_by("t")
    with pytest.raises(ModelError, match="of the day's budget"):
        asyncio.run(named)
    assert "t" not in shop.asked


# --- counted ----------------------------------------------------------------------------------------------


def test_a_day_holds_over_conversations_programs_and_restarts_and_ends_at_midnight(
    shop: Shop, store: Store, days: Days
) -> None:
    first = shop.chat(day=0.3)
    settled(first, first.send("?"))
    other = shop.chat(day=0.3)
    assert caps_of(other) == (Cap("day", 0.3, pytest.approx(0.15)),)
    settled(other, other.send("?"))
    assert caps_of(first)[0].spent == pytest.approx(0.3)
    assert why(settled(first, first.send("?")))[0] == "budget"
    days.day = "2026-03-15"
    assert caps_of(first)[0].spent == 0
    turn = settled(first, first.send("?"))
    assert turn.outcome is not None
    assert turn.outcome.status == "done"
    assert store.paid_on("2026-03-14") == pytest.approx(0.3)


def test_what_was_paid_stays_paid_when_its_conversation_goes(shop: Shop, store: Store, days: Days) -> None:
    chat = shop.chat(day=1.0)
    settled(chat, chat.send("?"))
    store.purge(chat.conversation.id)
    assert store.paid_on(days.day) == pytest.approx(0.15)


async def test_nothing_is_counted_twice(shop: Shop, store: Store, days: Days) -> None:
    chat = shop.chat(day=5.0)
    turn = settled(chat, chat.send("?"))
    chat.use_answer(CallId(1, 1))
    settled(chat, chat.rerun(turn, Retry(CallId(2, 1)).of_turn(turn)))
    await Conversations(ChatSession(chat)).fork()
    assert store.paid_on(days.day) == pytest.approx(0.2)
    assert chat.backend.ledger.paid_today() == pytest.approx(0.2)


def test_an_answer_in_steps_is_paid_step_by_step_and_once(
    engine: EngineThread, store: Store, days: Days
) -> None:
    gate = Gate(engine)
    growing = ["A moa is a bird of New Zealand that could not fly. " * 8, gate.event, FREE]
    cut = Finish("length", Usage(0, 5, estimated=False), 0.05)
    models = FakeModels(a=[growing], b=[growing], w=[["A moa is a bird. It", cut], ["It is extinct.", PAID]])
    shop = Shop(engine, models, store, days)
    stairs = {"agents": ["w"], "stairs": {"chunk": 32, "wait": 2}}
    chat = shop.chat(day=5.0)
    chat.use_recipe(recipe(["a", "b"], stairs, agents={"w": {"model": "w", "max_tokens": 10}}))
    run = chat.send("?")
    while not isinstance(run.events.get(timeout=15), StepEnded):
        pass
    assert chat.backend.ledger.paid_today() == pytest.approx(0.05)
    assert run.progress().layer == 1, "the writer is asked beside the layer at work"
    assert CallId(2, 1) in run.progress().asked
    gate.open()
    turn = settled(chat, run)
    assert turn.outcome is not None
    assert turn.outcome.answer == "A moa is a bird. It is extinct."
    assert chat.backend.ledger.paid_today() == store.paid_on(days.day) == pytest.approx(0.1)
    assert caps_of(chat)[0].held == 0.0


def test_a_private_conversation_counts_while_the_program_runs_and_writes_nothing(
    shop: Shop, store: Store, days: Days
) -> None:
    chat = shop.chat(private=True, day=0.3)
    settled(chat, chat.send("?"))
    assert caps_of(chat)[0].spent == pytest.approx(0.15)
    assert store.paid_on(days.day) == 0
    settled(chat, chat.send("?"))
    assert why(settled(chat, chat.send("?")))[0] == "budget"


def test_without_a_store_the_days_spending_is_known_all_the_same(
    engine: EngineThread, models: FakeModels, days: Days
) -> None:
    chat = Shop(engine, models, None, days).chat(day=0.11)
    assert why(settled(chat, chat.send("?")))[0] == "budget"


def test_while_the_disk_takes_nothing_what_was_paid_is_not_forgotten(
    shop: Shop, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = shop.chat(day=1.0)
    settled(chat, chat.send("?"))
    assert caps_of(chat)[0].spent == pytest.approx(0.15)
    monkeypatch.setattr(store, "paid_on", lambda day: 0.0)
    settled(chat, chat.send("?"))
    assert caps_of(chat)[0].spent == pytest.approx(0.3)


async def test_a_conversations_spending_is_that_of_all_its_branches(shop: Shop) -> None:
    chat = shop.chat(conversation=5.0)
    turn = settled(chat, chat.send("?"))
    settled(chat, chat.rerun(turn, Retry(CallId(2, 1)).of_turn(turn)))
    assert chat.spent == pytest.approx(0.2)
    await Conversations(ChatSession(chat)).new()
    assert chat.spent == 0


def test_runs_side_by_side_share_a_conversations_budget(shop: Shop) -> None:
    chat = shop.chat(conversation=5.0)
    one, other = chat.send("?"), chat.send("?")
    for running in (one, other):
        events_of(running)
    assert chat.spent == pytest.approx(0.3), "before they are settled"
    chat.settle(one)
    chat.settle(other)
    assert chat.spent == pytest.approx(0.3)


def test_a_reply_without_a_price_or_of_an_earlier_run_adds_nothing(days: Days) -> None:
    ledger = Ledger(Budget(day=1.0), None, days)
    ledger.add("conversation", Reply("a", "a", "done", cost=None), is_kept=True)
    ledger.add("conversation", Reply("a", "a", "done", cost=0.5, reused=True), is_kept=True)
    assert ledger.paid_today() == 0


@pytest.mark.parametrize(("spent", "near"), [(0.79, False), (0.8, True), (1.2, True)])
def test_a_warning_is_due_from_four_fifths_on(spent: float, near: bool) -> None:
    assert is_near(Cap("day", 1.0, spent)) is near


def test_a_person_is_warned_of_each_budget_once() -> None:
    warnings = CapWarnings()
    day, conversation = Cap("day", 1.0, 0.9), Cap("conversation", 1.0, 0.9)
    assert warnings.due([Cap("day", 1.0, 0.5)]) == []
    assert warnings.due([day, Cap("conversation", 1.0, 0.1)]) == [day]
    assert warnings.due([day, conversation]) == [conversation]
    assert warnings.due([Cap("day", 1.0, 1.1), conversation]) == []


def test_a_budget_that_had_room_again_warns_anew() -> None:
    warnings = CapWarnings()
    spent = Cap("conversation", 1.0, 0.9)
    assert warnings.due([spent]) == [spent]
    # Another conversation was begun, then the first one opened again.
    assert warnings.due([Cap("conversation", 1.0, 0.0)]) == []
    assert warnings.due([spent]) == [spent]


def test_a_budget_says_how_much_of_it_is_spent() -> None:
    assert cap_words(Cap("day", 5.0, 4.15)) == "day 83 % of $5.00"


def test_only_budgets_that_are_set_are_held() -> None:
    ledger = Ledger(Budget(conversation=2.0), None)
    assert ledger.is_open
    assert [cap.name for cap in ledger.caps("conversation")] == ["conversation"]
    ledger = Ledger(Budget(), None)
    assert not ledger.is_open
    assert ledger.caps("conversation") == ()


def test_a_conversation_is_counted_from_what_it_had_cost() -> None:
    ledger = Ledger(Budget(conversation=2.0), None)
    ledger.start_conversation("one", 1.5)
    ledger.add("one", Reply("a", "a", "done", cost=0.25), is_kept=True)
    assert (ledger.spent("one"), ledger.spent("other")) == (1.75, 0.0)


def test_programs_without_budgets_do_not_count_together(shop: Shop) -> None:
    one, other = (Backend(cast("Gateway", shop.gateway), shop.engine) for _ in range(2))
    chat = Chat(one, RECIPE)
    settled(chat, chat.send("?"))
    assert (one.ledger.paid_today(), other.ledger.paid_today()) == (pytest.approx(0.15), 0.0)
    assert one.health is not other.health
