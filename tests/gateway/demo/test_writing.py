"""What the simulated models write: from the manual, in their manners, and in the form of each task."""

from __future__ import annotations

import re
import time

import pytest

from moa_tui import guide
from moa_tui.engine.parsing import parse_judgement, parse_points, parse_ranking, parse_selection
from moa_tui.engine.tasks import Reference
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import Chunk, Message
from moa_tui.gateway.demo import stream, templates
from moa_tui.gateway.demo.manual import places_of
from moa_tui.gateway.demo.merging import is_own_line
from moa_tui.gateway.demo.pacing import schedule
from moa_tui.gateway.demo.words import inert
from moa_tui.gateway.demo.writing import write
from moa_tui.guide import pieces
from tests.gateway.demo.helpers import (
    DRAFTS,
    HOSTILE,
    MANNERS,
    OLLAMA,
    PROMPT,
    agent,
    answered_by_all,
    asked,
    asked_to,
    collect,
    own_quotes,
    with_drafts,
)
from tests.guide.questions import COVERED, FOLLOW_UPS, HELD_OUT, HELD_OUT_NOT_COVERED, NOT_COVERED

# What newcomers ask most, with what an answer has to hold.
USUAL = {
    OLLAMA: ["moa-tui -r local", "ollama pull"],
    "I have an OpenAI key, what now?": ["export OPENAI_API_KEY"],
    "does it cost anything?": ["moa-tui itself costs nothing", "max_cost"],
    "how do i instal moa-tui": ["pip install ."],
    "how do i save a chat to a file": ["/export html", "moa-tui sessions export"],
    "what does ctrl+g do": ["goes on with the answers that are ready"],
    "can I attach a file?": ["`@notes.txt`"],
    "continue the chat from yesterday": ["moa-tui -c"],
    "write my own recipe": ["moa-tui recipes new mine --from duo", "[[layers]]"],
    "which recipe should i take for programming": ["`rank`"],
    "is my api key stored anywhere": ["stored nowhere"],
    "how do I quit?": ["`ctrl+q` quits"],
}


# Other hostile texts happen to be words of the manual.
STRANGE = [text for name, text in HOSTILE.items() if name not in ("surrogate", "open tags")]


def parts(text: str) -> list[pieces.Piece]:
    return [piece for piece in pieces.read(text) if piece.kind != "heading" and not is_own_line(piece)]


# From the manual, and nothing else


@pytest.mark.parametrize("model", MANNERS)
def test_all_that_a_model_says_stands_in_the_manual(model: str) -> None:
    for question in (*COVERED, *HELD_OUT):
        said = parts(write(agent(model), asked(question))[1])
        assert [piece.text for piece in said if not places_of(piece)] == [], question


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("prompt", [OLLAMA, PROMPT, ""])
async def test_an_answer_says_that_it_is_simulated(model: str, prompt: str) -> None:
    text, _, _ = await collect(agent(model), asked(prompt))
    last = text.splitlines()[-1]
    assert last.startswith("*Simulated")
    assert last.endswith("*")
    assert model in last
    assert "no language model was asked" in last


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("question", [*NOT_COVERED, *HELD_OUT_NOT_COVERED, *STRANGE])
def test_what_the_manual_does_not_cover_is_told_in_one_line(model: str, question: str) -> None:
    alone = write(agent(model), asked(question))[1].splitlines()
    merged = write(agent(model), answered_by_all(question))[1].splitlines()
    for lines in (alone, merged):
        assert len(lines) == 3, lines
        assert lines[0].startswith(templates.NOT_COVERED)
        assert lines[0].endswith(".")
        assert all(name in guide.ORDER for name in re.findall(r"`moa-tui guide ([^`]+)`", lines[0]))
        assert "`moa-tui guide" in lines[0]


def test_the_nearest_topics_of_what_is_not_covered_are_named() -> None:
    line = write(agent(), asked("Tell me the recipe of an apple pie with cinnamon, please"))[1]
    assert "`moa-tui guide recipes`" in line


@pytest.mark.parametrize("model", MANNERS)
async def test_the_same_prompt_seed_and_model_give_the_same_answer(model: str) -> None:
    assert await collect(agent(model), asked()) == await collect(agent(model), asked())
    seeded = agent(model, extra={"seed": 7})
    once, again = (schedule(seeded, asked(), *write(seeded, asked())) for _ in range(2))
    assert once == again


# Manners


async def test_each_manner_writes_otherwise() -> None:
    terse, thorough, sceptic, coder = (write(agent(model), asked(OLLAMA))[1] for model in MANNERS)
    assert len({terse, thorough, sceptic, coder}) == len(MANNERS)
    assert [piece.kind for piece in parts(terse)] == ["sentence", "sentence", "code"]
    assert thorough.startswith("## Use your own Ollama\n\n")
    assert len(parts(thorough)) == len(guide.page("local-models").sections[1].pieces)
    assert sceptic.startswith(templates.SCEPTIC_LEAD)
    assert {piece.kind for piece in parts(sceptic)} == {"item"}
    assert "`num_ctx` matters" in sceptic
    assert coder.count("```sh\n") == 2


def test_the_terse_model_needs_two_sentences_or_rows() -> None:
    for question in COVERED:
        text = write(agent("demo/terse"), asked(question))[1]
        said = [piece for piece in parts(text) if piece.kind != "code"]
        # A sentence that needs another, or that leads to a list, brings it along.
        assert 1 <= len(said) <= 12, question
    rows = write(agent("demo/terse"), asked("one model gave a bad answer, can I exclude it?"))[1]
    assert "leave a bad answer out, or take it back in: `x`; `/without N`." in rows


def test_the_thorough_model_brings_the_table_with_the_rows_that_are_asked_for() -> None:
    text = write(agent("demo/thorough"), asked("How do I set the temperature of an agent in a recipe?"))[1]
    assert "| agent option | default | means |\n|---|---|---|\n" in text
    assert "| `temperature` | none |" in text
    assert "| `api_base` |" not in text


def test_the_coder_gives_toml_where_the_manual_has_it() -> None:
    text = write(agent("demo/coder"), asked("how do I limit spending to 5 dollars a day"))[1]
    assert "```toml\n[budget]\nconversation = 1.0\nday = 5.0\n```" in text


@pytest.mark.parametrize("model", MANNERS)
def test_an_answer_is_of_a_length_that_can_be_read(model: str) -> None:
    for question in (*COVERED, *HELD_OUT):
        assert estimate_tokens(write(agent(model), asked(question))[1]) <= 900, question


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("prompt", [PROMPT, OLLAMA])
async def test_only_the_thorough_and_the_sceptic_reason_aloud(model: str, prompt: str) -> None:
    items = [item async for item in stream(agent(model), asked(prompt))]
    kinds = [item.kind for item in items if isinstance(item, Chunk)]
    reasons = kinds.count("reasoning")
    assert (reasons > 3) == (model in ("demo/thorough", "demo/sceptic"))
    assert kinds == ["reasoning"] * reasons + ["text"] * (len(kinds) - reasons)


def test_the_reasoning_tells_how_the_section_was_chosen() -> None:
    thought, _ = write(agent("demo/thorough"), asked(OLLAMA))
    assert "“Use your own Ollama” (local-models)" in thought
    assert "100 %" in thought


# Conversations


@pytest.mark.parametrize(("prompts", "sections"), FOLLOW_UPS)
def test_a_short_question_may_go_on_from_the_one_before(
    prompts: tuple[str, str], sections: list[str]
) -> None:
    earlier, question = prompts
    history: list[Message] = [*asked(earlier), {"role": "assistant", "content": "…"}, *asked(question)]
    text = write(agent("demo/thorough"), history)[1]
    headings = {piece.text for piece in pieces.read(text) if piece.kind == "heading"}
    assert any(section.partition("/")[2] in heading for heading in headings for section in sections)


def test_a_new_subject_is_not_mixed_with_the_one_before() -> None:
    history: list[Message] = [
        *asked(OLLAMA),
        {"role": "assistant", "content": "…"},
        *asked("What is the capital of Australia?"),
    ]
    assert write(agent(), history)[1].startswith(templates.NOT_COVERED)


# Merging


@pytest.mark.parametrize("question", USUAL)
def test_the_merged_answer_of_three_layers_holds_the_fact(question: str) -> None:
    layer = answered_by_all(question)
    final = write(agent("demo/thorough"), answered_by_all(question, layer))[1]
    for fact in USUAL[question]:
        assert fact in final


@pytest.mark.parametrize("model", MANNERS)
def test_a_merged_answer_has_every_part_once(model: str) -> None:
    for question in (*COVERED, *HELD_OUT):
        drafts = answered_by_all(question)
        text = write(agent(model), drafts)[1]
        said = [piece.key for piece in parts(text)]
        assert len(said) == len(set(said)), question
        code = [piece.text for piece in pieces.read(text) if piece.kind == "code"]
        assert len(code) == len(set(code)), question
        own = [piece.text for piece in parts(text) if not places_of(piece)]
        assert own == [], question


def test_the_thorough_aggregator_keeps_all_parts_of_all_drafts() -> None:
    for question in (*COVERED, *HELD_OUT):
        drafts = [write(agent(model), asked(question))[1] for model in MANNERS]
        merged = {piece.key for piece in parts(write(agent("demo/thorough"), answered_by_all(question))[1])}
        assert {piece.key for draft in drafts for piece in parts(draft)} <= merged, question


@pytest.mark.parametrize("model", MANNERS)
def test_a_merged_answer_is_well_formed_and_names_its_pages(model: str) -> None:
    for question in COVERED:
        text = write(agent(model), answered_by_all(question))[1]
        assert sum(line.startswith("```") for line in text.splitlines()) % 2 == 0
        assert "\n\n\n" not in text.replace("```\n\n\n", "")
        source = next(line for line in text.splitlines() if line.startswith(templates.SOURCE_BEGINNING))
        topics = re.findall(r"`moa-tui guide ([a-z-]+)`", source)
        assert topics
        assert set(topics) <= set(guide.ORDER)


def test_a_merged_table_is_one_table() -> None:
    head = "| you want to | key on the pane | command |"
    question = "one model gave a bad answer, can I exclude it?"
    assert write(agent("demo/thorough"), answered_by_all(question))[1].count(head) == 1


def test_layer_upon_layer_adds_nothing_and_loses_nothing() -> None:
    messages = answered_by_all(OLLAMA)
    second = write(agent("demo/thorough"), messages)[1]
    third = write(agent("demo/thorough"), answered_by_all(OLLAMA, messages))[1]
    assert {piece.key for piece in parts(third)} == {piece.key for piece in parts(second)}


@pytest.mark.parametrize("placement", ["system", "user"])
@pytest.mark.parametrize("model", MANNERS)
def test_drafts_from_elsewhere_are_told_and_not_vouched_for(model: str, placement: str) -> None:
    text = write(agent(model), with_drafts(*DRAFTS, placement=placement))[1]
    assert templates.FOREIGN in text
    for draft in DRAFTS:
        assert draft.text.partition(".")[0] in text
    assert templates.SOURCE_BEGINNING not in text
    assert '<reference number="' not in text


# Hostile texts


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reference_is_quoted_short_and_inert(model: str, name: str) -> None:
    drafts = [Reference("x|`\x1b", HOSTILE[name]), *DRAFTS]
    _, text = write(agent(model), with_drafts(*drafts, anonymous=False))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text) < 9_000
    assert "<script" not in text
    assert text.count("```") == 0


def test_huge_hostile_messages_do_not_hold_up_the_loop() -> None:
    texts = (
        "** a ** **b**",
        "``` \n",
        "\n \n- ",
        "a. ",
        "& ",
        "<reference ",
        "a" + " " * 30,
        "| a\n|-\n",
        "`",
    )
    nasty = [Reference("", text * 3_000) for text in texts]
    began = time.thread_time()
    write(agent("demo/thorough"), with_drafts(*nasty, prompt="".join(HOSTILE.values()), placement="user"))
    assert time.thread_time() - began < 2.0


def test_a_prompt_without_messages_is_answered_too() -> None:
    assert write(agent(), [])[1].startswith(templates.NOT_COVERED)
    assert inert("a\nb`c`\x1b**d**") == "a b c d"


# Other tasks


def test_what_most_drafts_share_is_named_first() -> None:
    texts = ("Copper, nickel, silver, cobalt, zinc.", "Copper, nickel, silver, cobalt, zinc.", "Zinc floats.")
    _, text = write(agent(), asked_to("critique", *(Reference("", text) for text in texts)))
    assert "All 3 drafts agree on **zinc**; 2 of the 3 drafts agree on" in text


def test_one_draft_alone_and_drafts_with_nothing_in_common_are_told_apart() -> None:
    assert "There is one draft only" in write(agent(), asked_to("critique", DRAFTS[0]))[1]
    strangers = (Reference("", "Penguins swim."), Reference("", "Granite cools slowly."))
    assert "No two of the 2 drafts share a key term" in write(agent(), asked_to("critique", *strangers))[1]


def test_code_headings_tables_and_the_closing_line_are_never_quoted() -> None:
    shown = "## Heading words\n\n| cell | other |\n\n```py\ncode = 1\n```\n\nReal sentence here."
    note = templates.NOTE.format(model="demo/coder")
    drafts = (Reference("", f"{shown}\n\n{note}"), Reference("", f"Another one there.\n\n{note}"))
    _, text = write(agent(), asked_to("critique", *drafts))
    assert own_quotes(text) == ["Real sentence here.", "Another one there."]


@pytest.mark.parametrize("model", ["demo/slow", "demo/burst", "demo/hang"])
def test_fault_models_say_that_they_are_simulated_with_and_without_drafts(model: str) -> None:
    for messages in (asked(), with_drafts(*DRAFTS)):
        text = write(agent(model), messages)[1]
        assert "no language model was asked" in text
        assert PROMPT in text


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
    assert [point.text for point in drawn] == [
        sentence for draft in DRAFTS for sentence in re.findall(r"[^.]+\.", draft.text.replace(". ", "."))
    ]
    assert not any(point.ticked for point in drawn)
    assert all("Simulated" in text for text in (ranking, judgement, choice, points))


@pytest.mark.parametrize("model", MANNERS)
async def test_a_writer_takes_up_what_was_ticked_and_not_what_was_not(model: str) -> None:
    ticked = Reference(
        "x",
        "keep:\n- Put the jar into the refrigerator overnight.\n\n"
        "leave out:\n- Feed the starter twice a day.",
        "checklist",
    )
    text, _, _ = await collect(agent(model), asked_to("synthesize", *DRAFTS, ticked))
    assert "You ticked what goes in:\n\n- Put the jar into the refrigerator overnight." in text
    assert "Unticked and left out: 1." in text
    assert "Feed the starter" not in text
    plain, _, _ = await collect(agent(model), asked_to("synthesize", *DRAFTS))
    assert "Feed the starter" in plain
    assert "ticked" not in plain


async def test_points_of_the_manual_that_are_unticked_stay_out() -> None:
    drafts = [Reference("", write(agent(model), asked(OLLAMA))[1]) for model in MANNERS]
    points = parse_points(write(agent(), asked_to("checklist", *drafts))[1])
    assert points is not None
    left_out = next(point.text for point in points if "costs nothing" in point.text)
    ticks = Reference("x", f"keep:\n- {points[0].text}\n\nleave out:\n- {left_out}", "checklist")
    text = write(agent("demo/thorough"), asked_to("synthesize", *drafts, ticks))[1]
    assert "It costs nothing" not in text
    assert "moa-tui -r local" in text


async def test_a_critique_speaks_of_the_drafts_and_a_revision_puts_them_together() -> None:
    critique, _, _ = await collect(agent(), asked_to("critique", *DRAFTS))
    assert critique.startswith("3 drafts read, none of them answered here.")
    revision, _, _ = await collect(agent(), asked_to("revise", *DRAFTS))
    assert revision.startswith(templates.FOREIGN)


async def test_the_slow_one_is_slow_whatever_it_is_asked() -> None:
    text, _, _ = await collect(agent("demo/slow"), asked_to("rank", *DRAFTS))
    assert parse_ranking(text, 3) is None
