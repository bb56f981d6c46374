"""Which section answers a newcomer's question, and which questions none does."""

from __future__ import annotations

import pytest

from moa_tui import guide
from moa_tui.guide import wording
from moa_tui.guide.matching import Index
from tests.guide.questions import (
    COVERED,
    FOLLOW_UPS,
    HELD_OUT,
    HELD_OUT_NOT_COVERED,
    NOT_COVERED,
)


def answers(question: str, sections: list[str]) -> bool:
    """True where the best section is one that should answer."""
    first = guide.search(question)[0]
    return any(f"{first.topic}/{first.heading}".startswith(section) for section in sections)


def is_covered(question: str) -> bool:
    found = guide.answers(question)
    return bool(found) and found[0].match.is_answer


@pytest.mark.parametrize(
    ("questions", "share"), [(COVERED, 0.9), (HELD_OUT, 0.85)], ids=["tuned", "held out"]
)
def test_the_section_that_answers_is_the_first(questions: dict[str, list[str]], share: float) -> None:
    wrong = [question for question, sections in questions.items() if not answers(question, sections)]
    assert len(wrong) <= len(questions) * (1 - share), wrong


@pytest.mark.parametrize("question", [*NOT_COVERED, *HELD_OUT_NOT_COVERED])
def test_what_the_manual_does_not_cover_is_known(question: str) -> None:
    assert not is_covered(question)


@pytest.mark.parametrize(
    ("questions", "share"), [(COVERED, 0.98), (HELD_OUT, 0.9)], ids=["tuned", "held out"]
)
def test_what_the_manual_covers_is_known(questions: dict[str, list[str]], share: float) -> None:
    wrong = [question for question in questions if not is_covered(question)]
    assert len(wrong) <= len(questions) * (1 - share), wrong


def test_the_sections_that_should_answer_exist() -> None:
    named = {name for names in (*COVERED.values(), *HELD_OUT.values()) for name in names}
    there = [f"{section.topic}/{section.heading}" for page in guide.pages() for section in page.sections]
    assert [name for name in named if not any(each.startswith(name) for each in there)] == []


def test_no_question_is_a_heading() -> None:
    headings = {section.heading.casefold() for page in guide.pages() for section in page.sections}
    assert not {question.casefold().rstrip("?") for question in (*COVERED, *HELD_OUT)} & headings


@pytest.mark.parametrize(("prompts", "sections"), FOLLOW_UPS[:3])
def test_a_question_that_goes_on_is_answered_with_the_one_before(
    prompts: tuple[str, str], sections: list[str]
) -> None:
    earlier, question = prompts
    best = guide.answers(question, earlier)[0].section
    assert any(f"{best.topic}/{best.heading}".startswith(section) for section in sections)


def test_words_are_compared_without_their_endings() -> None:
    forms = "recipe recipes · store stored stores storing · stop stopped stopping · copy copies · key keys"
    for group in forms.split(" · "):
        assert len({wording.stem(word) for word in group.split()}) == 1, group
    assert wording.stem("theme") not in wording.stems("them")


def test_a_key_is_one_word_however_it_is_written() -> None:
    assert wording.stems("Ctrl+G") == wording.stems("ctrl-g") == wording.stems("control g") == ["ctrl_g"]
    assert wording.stems("ctrl+↑") == ["ctrl_up"]


def test_every_other_name_is_a_word_of_the_manual() -> None:
    there = set(wording.stems(" ".join(page.text for page in guide.pages())))
    assert [
        name for name in wording.OTHER_NAMES if not set(wording.other_names(wording.stem(name))) & there
    ] == []


def test_of_a_huge_question_both_ends_are_read() -> None:
    question = "ollama " + "filler" * 100_000 + " quorum"
    assert set(wording.question_stems(question)) >= {"ollama", "quorum"}
    assert len(wording.question_stems(" ".join(f"w{number}x" for number in range(5000)))) <= 64


def test_an_example_in_code_is_no_subject() -> None:
    index = Index([("a", "Ask", 'Ask so:\n\n```sh\nmoa-tui ask "Why is grass green?"\n```')])
    assert index.matches("grass green") == []
    assert index.matches("so") == []


def test_a_word_that_only_code_has_covers_no_question() -> None:
    texts = ("Lines are read from a pipe:\n\n```sh\ncat questions.txt | program\n```", "A cat has a name.")
    in_code, in_text = (Index([("a", "Lines", text)]).matches("a cat's name?") for text in texts)
    assert in_code[0].coverage < 0.5 < in_text[0].coverage


def test_a_misspelled_word_is_compared_with_its_endings_and_an_everyday_one_asks_for_nothing() -> None:
    index = Index([("a", "Errors", "The model was not found."), ("b", "Files", "Wherever it is written.")])
    assert [match.section for match in index.matches("fuond")] == [0]
    assert index.matches("wher") == []
    assert index.matches("wher is it") == []
