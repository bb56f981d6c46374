"""What a final answer left out of the answers it was written from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moa_tui.engine.left_out import MOST_FINAL_CHARACTERS, MOST_POINTS, left_out, points
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.statements import statements
from moa_tui.engine.values import CallId, Metrics, Outcome, Reply
from tests.engine.left_out_sets import HALVES, answer_sets
from tests.engine.left_out_sets.scores import scores, shared_points

if TYPE_CHECKING:
    from moa_tui.engine.values import OutcomeStatus

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
BAND = "Mark the jar with a rubber band to see how it rises."
RYE = "Rye flour wakes up a sluggish starter."


def recipe_of(*tasks: str) -> Recipe:
    """A recipe with one layer for each task, of two agents and of one in the last layer."""
    agents = [[{"model": "fake/one"}, {"model": "fake/two"}] for _ in tasks]
    layers = [
        {"task": task, "agents": [] if task == "vote" else agents[number][: 1 if number else 2]}
        for number, task in enumerate(tasks)
    ]
    return Recipe.model_validate({"name": "test", "layers": layers})


def outcome_of(final: str, *texts: str) -> Outcome:
    """The outcome of a run of a layer of these answers, and of a last agent that wrote `final`."""
    replies = {
        CallId(1, index): Reply(f"agent {index}", "fake/model", "done", text=text)
        for index, text in enumerate(texts, 1)
    }
    replies[LAST] = Reply("writer", "fake/model", "done", text=final)
    return Outcome("done", final, replies, Metrics())


SYNTHESIS = recipe_of("answer", "synthesize")


def texts_of(outcome: Outcome, recipe: Recipe = SYNTHESIS) -> list[str]:
    return [point.text for point in left_out(outcome, recipe)]


# What is listed


def test_a_point_has_its_words_its_agents_and_its_place() -> None:
    found = left_out(outcome_of(FINAL, THOROUGH, SHORT), SYNTHESIS)
    assert [(point.text, point.calls) for point in found] == [
        (BAND, (ONE, TWO)),
        ("Do not discard half before feeding.", (ONE,)),
        ("It should double within 4-8 hours.", (ONE,)),
        (RYE, (TWO,)),
    ]
    texts = {ONE: THOROUGH, TWO: SHORT}
    assert all(texts[point.calls[0]][point.start : point.end] == point.text for point in found)


@pytest.mark.parametrize(
    ("final", "text"),
    [
        ("No, you should not take ibuprofen with warfarin.", "Yes, you should take ibuprofen with warfarin."),
        ("Yes, you should take ibuprofen with warfarin.", "No, you should not take ibuprofen with warfarin."),
        ("Always use HTTPS for the login form.", "Never use HTTPS for the login form."),
        ("You can use sudo to install it.", "You can't use sudo to install it."),
        ("这种药可以和酒一起服用。", "这种药不可以和酒一起服用。"),
        ("Этот препарат можно принимать с алкоголем.", "Этот препарат нельзя принимать с алкоголем."),
    ],
)
def test_the_contrary_of_a_whole_answer_is_listed(final: str, text: str) -> None:
    assert [point.text for point in points(final, {ONE: text})] == [text]


def test_a_negation_is_the_same_in_all_spellings() -> None:
    assert not points("You can’t use sudo to install it.", {ONE: "You cannot use sudo to install it."})


@pytest.mark.parametrize(
    ("final", "text", "is_listed"),
    [
        ("Yes.", "No.", True),
        ("Yes, it is prime.", "No", True),
        ("No.", "**No**", False),
        ("42", "41", True),
        ("The answer is 42.", "42", False),
        ("The correct answer is C.", "(D)", True),
        ("The correct answer is C.", "C", False),
        ("x = 3", "x = 4", True),
        ("是", "不是", True),
        ("Yes.", "Sure!", False),
        ("Yes.", "```\nprint(1)\n```", False),
    ],
)
def test_an_answer_of_one_word_is_a_point(final: str, text: str, is_listed: bool) -> None:
    listed = points(final, {ONE: text, TWO: text})
    assert [point.calls for point in listed] == ([(ONE, TWO)] if is_listed else [])


@pytest.mark.parametrize(
    ("final", "text", "listed"),
    [
        ("- 卵\n- 砂糖", "- 卵\n- 砂糖\n- 牛乳\n- 米", ["牛乳", "米"]),
        ("- 계란", "- 계란\n- 우유\n- 쌀", ["우유", "쌀"]),
    ],
)
def test_an_item_may_be_one_word_where_words_are_short(final: str, text: str, listed: list[str]) -> None:
    assert [point.text for point in points(final, {ONE: text})] == listed


@pytest.mark.parametrize(
    ("final", "text", "is_listed"),
    [
        ("It is -5 degrees outside in Oslo.", "It is 5 degrees outside in Oslo.", True),
        ("It is -5 degrees outside in Oslo.", "It is \u22125 degrees outside in Oslo.", False),
        ("It takes 5-10 minutes to Oslo.", "It takes 5 to 10 minutes to Oslo.", False),
    ],
)
def test_a_minus_belongs_to_its_number(final: str, text: str, is_listed: bool) -> None:
    assert bool(points(final, {ONE: text})) is is_listed


@pytest.mark.parametrize(
    ("final", "text"),
    [
        ("The war ended on 8 May 1945.", "The war ended on May 8th, 1945."),
        ("The cable is 1.5 m long.", "The cable is 1.5m long."),
    ],
)
def test_what_is_written_behind_a_number_is_no_word(final: str, text: str) -> None:
    assert not points(final, {ONE: text})


def test_the_rows_of_a_table_need_no_bars_at_their_ends() -> None:
    table = "Tool | Speed\n--- | ---\nripgrep | fast\nag | medium\n\nAll of them know regular expressions."
    listed = points("Ripgrep is fast.", {ONE: table})
    assert [point.text for point in listed] == ["ag | medium", "All of them know regular expressions."]


def test_nothing_is_left_out_of_an_answer_by_itself() -> None:
    assert points(FINAL, {ONE: FINAL}) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here are some tips:",
        "I hope this helps! Let me know if you want more about rye bread.",
        "As an AI language model, I can't taste bread.",
        "# Sourdough and rye bread\n\n**Storing rye bread**\n\n---",
        "Would you like a recipe for rye bread?",
        "Ich hoffe, das hilft dir beim Backen von Roggenbrot!",
        "希望以上关于黑麦面包的建议对你有帮助！",
        "آمل أن يساعدك هذا في خبز الخبز!",
        "| Bread | Hours |\n|---|---|",
        "```python\nbake(rye_bread, hours=14)\n```",
        "$$\nx = \\frac{rye}{bread}\n$$",
        "  \n\n***\n",
    ],
)
def test_what_states_nothing_is_no_point(text: str) -> None:
    assert points(FINAL, {ONE: text}) == ()


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("- [ ] Buy a banneton basket", ["Buy a banneton basket"]),
        ("> 2) **Buy a banneton basket.**", ["Buy a banneton basket."]),
        ("| Tool | Price |\n|:--|--:|\n| banneton basket | cheap |", ["banneton basket | cheap"]),
        ("Bake it hot, e.g. in a pot. It isn't hard. Dr. Oetker agrees.",
         ["Bake it hot, e.g. in a pot.", "It isn't hard.", "Dr. Oetker agrees."]),
        ("A banneton basket\nshapes the loaf.", ["A banneton basket shapes the loaf."]),
        ("用发酵篮给面团定形。烤箱要预热！", ["用发酵篮给面团定形。", "烤箱要预热！"]),
        ("استخدم سلة التخمير لتشكيل العجين. هل الفرن ساخن؟", ["استخدم سلة التخمير لتشكيل العجين."]),
        ("Возьмите корзину для расстойки. Духовку разогрейте!",
         ["Возьмите корзину для расстойки.", "Духовку разогрейте!"]),
        ("टोकरी में आटा रखें। ओवन गरम करें।", ["टोकरी में आटा रखें।", "ओवन गरम करें।"]),
        ("ใช้ตะกร้าสำหรับพักแป้งขนมปังก่อนอบ อุ่นเตาอบให้ร้อนจัดก่อนใส่ขนมปังเสมอ",
         ["ใช้ตะกร้าสำหรับพักแป้งขนมปังก่อนอบ", "อุ่นเตาอบให้ร้อนจัดก่อนใส่ขนมปังเสมอ"]),
    ],
)  # fmt: skip
def test_points_are_cut_in_every_script(text: str, listed: list[str]) -> None:
    assert [point.text for point in points(FINAL, {ONE: text})] == listed


def test_what_is_said_around_code_is_compared_with_the_final_answers_code_too() -> None:
    final = "Do this:\n\n```sh\npip install pandas\n```"
    text = "Install pandas with pip. Then restart the notebook kernel."
    assert [point.text for point in points(final, {ONE: text})] == ["Then restart the notebook kernel."]


def test_words_may_be_spread_over_neighbours_of_the_final_answer() -> None:
    final = "Store bulbs in autumn. Choose a dark cellar. Wrap them in newspaper. Unrelated: tulips are red."
    text = "In autumn, wrap the bulbs in newspaper and store them in a dark cellar."
    assert points(final, {ONE: text}) == ()


@pytest.mark.parametrize("number", ["8,000", "8000", "8 000", "8.000", "\u0668\u0660\u0660\u0660"])
def test_a_number_is_the_same_in_all_spellings(number: str) -> None:
    final = "The telescope costs about 8000 euros in the shop."
    assert points(final, {ONE: f"In the shop the telescope costs about {number} euros."}) == ()
    assert points(final, {ONE: "In the shop the telescope costs about 9000 euros."}) != ()


# Which answers are compared


def test_an_answer_that_failed_or_was_left_out_by_hand_is_not_compared() -> None:
    outcome = outcome_of(FINAL, THOROUGH, SHORT)
    for status in ("failed", "excluded"):
        replies = {**outcome.replies, TWO: replace(outcome.replies[TWO], status=status)}
        assert RYE not in texts_of(replace(outcome, replies=replies))


def test_the_unfinished_end_of_a_cut_answer_is_no_point() -> None:
    outcome = outcome_of(FINAL, "", f"{RYE} Brush the loaf with milk before you bake it in a ho")
    replies = {**outcome.replies, TWO: replace(outcome.replies[TWO], status="partial")}
    assert texts_of(replace(outcome, replies=replies)) == [RYE]


@pytest.mark.parametrize("status", ["failed", "stopped", "partial"])
def test_a_run_without_a_whole_answer_left_nothing_out(status: OutcomeStatus) -> None:
    outcome = replace(outcome_of(FINAL, THOROUGH, SHORT), status=status)
    assert texts_of(outcome) == []
    assert texts_of(replace(outcome, status="done", answer="")) == []


def test_a_critique_has_no_points_of_its_own() -> None:
    outcome = outcome_of(FINAL, THOROUGH, SHORT)
    replies = {
        ONE: outcome.replies[ONE],
        TWO: Reply("agent 2", "fake/model", "done", text=FINAL),
        LAST: Reply("critic", "fake/model", "done", text=RYE),
        CallId(3, 1): outcome.replies[LAST],
    }
    recipe = Recipe.model_validate(
        {
            "name": "test",
            "layers": [
                {"agents": [{"model": "fake/one"}, {"model": "fake/two"}]},
                {"task": "critique", "agents": [{"model": "fake/critic"}]},
                {"agents": [{"model": "fake/writer"}], "reads": "all"},
            ],
        }
    )
    listed = texts_of(replace(outcome, replies=replies), recipe)
    assert BAND in listed
    assert RYE not in listed


@pytest.mark.parametrize(("last", "judge"), [("vote", ""), ("rank", "2 > 1")])
def test_of_a_chosen_answer_what_the_others_say_is_listed(last: str, judge: str) -> None:
    outcome = outcome_of(judge, THOROUGH, SHORT)
    replies = {call: reply for call, reply in outcome.replies.items() if call != LAST or judge}
    listed = left_out(replace(outcome, answer=SHORT, replies=replies), recipe_of("answer", last))
    assert "It should double within 4-8 hours." in [point.text for point in listed]
    assert {call for point in listed for call in point.calls} == {ONE}


def test_replies_of_layers_that_the_recipe_does_not_have_are_none_of_its_answers() -> None:
    outcome = outcome_of(FINAL, THOROUGH, SHORT)
    replies = {**outcome.replies, CallId(9, 1): outcome.replies[TWO], CallId(0, 1): outcome.replies[TWO]}
    assert texts_of(replace(outcome, replies=replies)) == texts_of(outcome)


# Texts of hostile models


@settings(deadline=None)
@given(st.text(max_size=400), st.text(max_size=200))
def test_any_text_has_points_that_stand_where_they_say(text: str, final: str) -> None:
    for statement in statements(text):
        assert statement.text == " ".join(text[statement.start : statement.end].split())
        assert statement.text
    for point in points(final, {ONE: text}):
        assert point.text == " ".join(text[point.start : point.end].split())


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "the same words again and again " * 30_000,
        "*" * 200_000,
        "- " * 100_000,
        "> " * 100_000,
        "|" * 200_000,
        "a.b." * 50_000,
        "( " * 100_000,
        "`" * 200_000,
        "\n".join(f"- point {number} about thing{number}" for number in range(20_000)),
        "漢字。" * 20_000,
        "ก ข " * 20_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_huge_texts_have_so_many_points_and_no_more(text: str) -> None:
    assert len(points(text[: MOST_FINAL_CHARACTERS // 2][::-1], {ONE: text, TWO: text})) <= MOST_POINTS
    assert max((len(statement.text) for statement in statements(text)), default=0) <= 600


def test_of_a_final_answer_too_long_to_be_read_nothing_is_said() -> None:
    assert points("x" * (MOST_FINAL_CHARACTERS + 1), {ONE: THOROUGH}) == ()


# Measured on labelled answers


@pytest.mark.parametrize(
    ("half", "precision", "recall"), [("held_out", 0.82, 0.95), ("tuned_on", 0.86, 0.92)]
)
def test_most_of_what_was_left_out_is_listed_and_little_else(
    half: str, precision: float, recall: float
) -> None:
    score = scores(answer_sets(half))["all"]
    assert score.precision >= precision, "\n".join(score.wrong)
    assert score.recall >= recall, "\n".join(score.missed)


@pytest.mark.parametrize("half", HALVES)
def test_half_of_the_points_that_two_answers_share_are_listed_once(half: str) -> None:
    joined, shared = shared_points(answer_sets(half))
    assert joined >= shared / 2


def test_the_labelled_answers_are_many_and_of_many_languages() -> None:
    sets = [answer_set for half in HALVES for answer_set in answer_sets(half)]
    assert len(sets) >= 30
    assert len({answer_set.language for answer_set in sets}) >= 6
    assert sum(answer_set.language != "English" for answer_set in sets) >= 6
    assert all(3 <= len(answer_set.answers) <= 6 for answer_set in sets)
