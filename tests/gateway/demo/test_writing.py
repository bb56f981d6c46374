"""What the simulated models write, and how they take up references."""

from __future__ import annotations

import contextlib
import io
import re
import time

import pytest

from moa_tui.engine.parsing import parse_judgement, parse_points, parse_ranking, parse_selection
from moa_tui.engine.tasks import Reference
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import Chunk, Message
from moa_tui.gateway.demo import stream
from moa_tui.gateway.demo.pacing import schedule
from moa_tui.gateway.demo.words import inert
from moa_tui.gateway.demo.writing import write
from tests.gateway.demo.helpers import (
    DRAFTS,
    HOSTILE,
    MANNERS,
    PROMPT,
    agent,
    asked,
    asked_to,
    collect,
    own_quotes,
    with_drafts,
)


@pytest.mark.parametrize("model", MANNERS)
async def test_the_same_prompt_seed_and_model_give_the_same_answer(model: str) -> None:
    assert await collect(agent(model), asked()) == await collect(agent(model), asked())
    seeded = agent(model, extra={"seed": 7})
    once, again = (schedule(seeded, asked(), *write(seeded, asked())) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("model", MANNERS)
async def test_another_seed_or_prompt_gives_another_answer(model: str) -> None:
    texts = {(await collect(agent(model, extra={"seed": seed}), asked()))[0] for seed in range(6)}
    assert len(texts) >= 4
    other, _, _ = await collect(agent(model), asked("What is a monad?"))
    assert "monad" in other
    assert other not in texts


async def test_each_manner_writes_otherwise() -> None:
    answers = {model: (await collect(agent(model), asked()))[0].rpartition("\n\n")[0] for model in MANNERS}
    assert len(set(answers.values())) == len(MANNERS)
    terse, thorough, sceptic, coder = answers.values()
    assert 3 <= len(re.findall(r"[.!?](?=\s|$)", terse)) <= 4
    assert "#" not in terse
    assert re.search(r"^## ", thorough, re.MULTILINE)
    assert re.search(r"^1\. .*\n2\. ", thorough, re.MULTILINE)
    assert "|---|" in thorough
    assert len(re.findall(r"^- ", sceptic, re.MULTILINE)) >= 4
    assert "On balance" in sceptic
    assert coder.startswith("```python\n")
    assert re.search(r"^- ", coder, re.MULTILINE)


@pytest.mark.parametrize("model", MANNERS)
async def test_an_answer_takes_up_the_prompt_and_says_that_it_is_simulated(model: str) -> None:
    text, _, _ = await collect(agent(model), asked())
    assert PROMPT in text
    assert "**sourdough**" in text
    last = text.splitlines()[-1]
    assert last.startswith("*Simulated")
    assert last.endswith("*")
    assert model in last
    assert "no language model was asked" in last


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("prompt", ["", "TCP", PROMPT, "Write a function that sorts names", HOSTILE["cjk"]])
def test_an_answer_is_of_a_length_that_can_be_read(model: str, prompt: str) -> None:
    for seed in range(8):
        _, text = write(agent(model, extra={"seed": seed}), asked(prompt))
        assert 100 <= estimate_tokens(text) <= 260


@pytest.mark.parametrize("model", MANNERS)
async def test_only_the_thorough_and_the_sceptic_reason_aloud(model: str) -> None:
    items = [item async for item in stream(agent(model), asked())]
    kinds = [item.kind for item in items if isinstance(item, Chunk)]
    reasons = kinds.count("reasoning")
    assert (reasons > 3) == (model in ("demo/thorough", "demo/sceptic"))
    assert kinds == ["reasoning"] * reasons + ["text"] * (len(kinds) - reasons)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("messages", ["alone", "drafts in system", "drafts in user"])
def test_the_code_of_the_coder_runs(name: str, messages: str) -> None:
    sent = {
        "alone": asked(HOSTILE[name]),
        "drafts in system": with_drafts(*DRAFTS, prompt=HOSTILE[name]),
        "drafts in user": with_drafts(*DRAFTS, prompt=HOSTILE[name], placement="user"),
    }[messages]
    _, text = write(agent("demo/coder"), sent)
    code = text.split("```python\n")[1].split("```")[0]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    assert printed.getvalue().strip()


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_prompt_is_quoted_short_and_inert(model: str, name: str) -> None:
    prompt = HOSTILE[name]
    text, reasoning, finish = await collect(agent(model), asked(prompt))
    assert finish.reason == "stop"
    assert all(char.isprintable() or char == "\n" for char in text + reasoning)
    assert all(len(quote) <= 80 for quote in own_quotes(text))
    assert len(text) < 1_200
    assert text.count("```") == (2 if model == "demo/coder" else 0)
    assert "<script" not in text


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reference_is_quoted_short_and_inert(model: str, name: str) -> None:
    drafts = [Reference("x|`\x1b", HOSTILE[name]), *DRAFTS]
    _, text = write(agent(model), with_drafts(*drafts, anonymous=False))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert all(len(quote) <= 80 for quote in own_quotes(text))
    assert "4 drafts" in text
    assert "<script" not in text


def test_huge_hostile_messages_do_not_hold_up_the_loop() -> None:
    parts = ("** a ** **b**", "``` \n", "\n \n- ", "a. ", "& ", "<reference ", "a" + " " * 30)
    nasty = [Reference("", part * 3_000) for part in parts]
    began = time.thread_time()
    write(agent("demo/thorough"), with_drafts(*nasty, prompt="".join(HOSTILE.values()), placement="user"))
    assert time.thread_time() - began < 2.0


def test_a_prompt_without_messages_is_answered_too() -> None:
    assert "a prompt without a word in it" in write(agent(), [])[1]
    assert inert("a\nb`c`\x1b**d**") == "a b c d"


@pytest.mark.parametrize("placement", ["system", "user"])
@pytest.mark.parametrize("anonymous", [True, False])
@pytest.mark.parametrize("model", MANNERS)
async def test_references_are_taken_up_wherever_they_stand(
    model: str, anonymous: bool, placement: str
) -> None:
    messages = with_drafts(*DRAFTS, placement=placement, anonymous=anonymous)
    text, _, _ = await collect(agent(model), messages)
    plain, _, _ = await collect(agent(model), asked())
    assert text != plain
    assert "2 of the 3 drafts agree on" in text
    assert "**starter**" in text
    for draft in DRAFTS:
        phrases = [quote.rstrip("…") for quote in own_quotes(text) if quote.rstrip("…") in draft.text]
        assert phrases
        assert all(len(phrase) <= 60 for phrase in phrases)
        assert (f"{draft.agent}: “" in text) != anonymous
    assert "*Simulated" in text
    assert '<reference number="' not in text


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("changed", range(3))
def test_the_answer_changes_when_one_reference_changes(model: str, changed: int) -> None:
    drafts = list(DRAFTS)
    drafts[changed] = Reference("dee", "Dry the culture on paper; crumbs last for months.")
    before, after = (write(agent(model), with_drafts(*which))[1] for which in (DRAFTS, drafts))
    assert "Dry the culture on paper" not in before
    assert "Dry the culture on paper" in after


def test_the_aggregator_keeps_its_manner() -> None:
    terse, thorough, sceptic, coder = (write(agent(model), with_drafts(*DRAFTS))[1] for model in MANNERS)
    assert "#" not in terse
    assert "|---|" in thorough
    assert "### Conclusion" in thorough
    assert "On balance" in sceptic
    assert coder.startswith("```python\ndrafts = 3\n")
    assert "'starter': 2" in coder


def test_a_contradiction_between_drafts_is_weighed() -> None:
    orders = ("example", "definition", "definition")
    drafts = [Reference("", f"I would put the {order} first.") for order in orders]
    for model in MANNERS:
        _, text = write(agent(model), with_drafts(*drafts))
        assert "1 for “example first”, 2 for “definition first”. I go with “definition first”" in text


def test_one_draft_alone_and_drafts_with_nothing_in_common_are_told_apart() -> None:
    assert "There is one draft only" in write(agent(), with_drafts(DRAFTS[0]))[1]
    strangers = (Reference("", "Penguins swim."), Reference("", "Granite cools slowly."))
    assert "No two of the 2 drafts share a key term" in write(agent(), with_drafts(*strangers))[1]


def test_code_headings_tables_and_the_closing_line_are_never_quoted() -> None:
    shown = "## Heading words\n\n| cell | other |\n\n```py\ncode = 1\n```\n\nReal sentence here."
    note = "*Simulated: demo/coder wrote this from a template; no language model was asked.*"
    drafts = (Reference("", f"{shown}\n\n{note}"), Reference("", f"Another one there.\n\n{note}"))
    _, text = write(agent(), with_drafts(*drafts))
    assert own_quotes(text) == ["Real sentence here.", "Another one there."]
    assert "No two of the 2 drafts share a key term" in text


def test_what_most_drafts_share_is_named_first() -> None:
    texts = ("Copper, nickel, silver, cobalt, zinc.", "Copper, nickel, silver, cobalt, zinc.", "Zinc floats.")
    _, text = write(agent(), with_drafts(*(Reference("", text) for text in texts)))
    assert "All 3 drafts agree on **zinc**; 2 of the 3 drafts agree on" in text


def test_simulated_answers_can_be_aggregated_layer_upon_layer() -> None:
    messages: tuple[Message, ...] | list[Message] = asked()
    seen = set()
    for _ in range(3):
        texts = [write(agent(model), messages)[1] for model in MANNERS]
        seen.update(texts)
        messages = with_drafts(*(Reference("", text) for text in texts))
    assert len(seen) == 3 * len(MANNERS)
    _, last = write(agent("demo/terse"), messages)
    assert "All 4 drafts agree on **sourdough**" in last
    assert all("Simulated" not in quote for quote in own_quotes(last))


@pytest.mark.parametrize("model", ["demo/slow", "demo/burst", "demo/hang"])
def test_fault_models_say_that_they_are_simulated_with_and_without_drafts(model: str) -> None:
    for messages in (asked(), with_drafts(*DRAFTS)):
        assert "no language model was asked" in write(agent(model), messages)[1]


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("own_wording", [{}, {"prompt": "My own words. {references}"}, {"placement": "user"}])
async def test_rankers_judges_and_moderators_answer_in_the_form_asked_for(
    model: str, own_wording: dict[str, str]
) -> None:
    ranking, _, _ = await collect(agent(model), asked_to("rank", *DRAFTS, **own_wording))
    order = parse_ranking(ranking, 3)
    assert order is not None
    assert sorted(order) == [1, 2, 3]
    judgement, _, _ = await collect(agent(model), asked_to("judge", *DRAFTS, **own_wording))
    findings = parse_judgement(judgement)
    assert findings is not None
    assert findings["consensus"]
    choice, _, _ = await collect(agent(model), asked_to("moderate", *DRAFTS, top_k=2, **own_wording))
    assert parse_selection(choice, 3, 2) is not None
    points, _, _ = await collect(agent(model), asked_to("checklist", *DRAFTS, **own_wording))
    drawn = parse_points(points)
    assert drawn is not None
    assert 3 <= len(drawn) <= 10
    assert not any(point.ticked for point in drawn)
    assert all("Simulated" in text for text in (ranking, judgement, choice, points))


@pytest.mark.parametrize("model", MANNERS)
async def test_a_writer_takes_up_what_was_ticked_and_not_what_was_not(model: str) -> None:
    ticked = Reference("x", "keep:\n- a cool cellar\n\nleave out:\n- the refrigerator\n- rye", "checklist")
    text, _, _ = await collect(agent(model), asked_to("synthesize", *DRAFTS, ticked))
    assert "You ticked what goes in:\n\n- a cool cellar\n\nUnticked and left out: 2." in text
    plain, _, _ = await collect(agent(model), asked_to("synthesize", *DRAFTS))
    assert "3 drafts" in text or "All 3" in text or "drafts = 3" in text
    assert "ticked" not in plain


async def test_a_critique_speaks_of_the_drafts_and_a_revision_weighs_them() -> None:
    critique, _, _ = await collect(agent(), asked_to("critique", *DRAFTS))
    assert critique.startswith("3 drafts read, none of them answered here.")
    revision, _, _ = await collect(agent(), asked_to("revise", *DRAFTS))
    assert revision.startswith("3 drafts read, one answer left.")


async def test_the_slow_one_is_slow_whatever_it_is_asked() -> None:
    text, _, _ = await collect(agent("demo/slow"), asked_to("rank", *DRAFTS))
    assert parse_ranking(text, 3) is None
