"""The form of the guide's pages, finding one by its name, and the search."""

from __future__ import annotations

import pytest

from moa_tui import guide
from moa_tui.errors import UsageError
from moa_tui.guide.index import SectionIndex
from tests.guide import reading

MOST_LINES, MOST_COLUMNS = 120, 110
# Beside its topic it stands in one line of a terminal of 80 columns.
LONGEST_SUMMARY = 80 - max(map(len, guide.ORDER)) - 2
PAGES = pytest.mark.parametrize("page", guide.pages(), ids=lambda page: page.topic)


def test_the_order_names_every_page_once() -> None:
    assert sorted(guide.ORDER) == sorted(path.stem for path in guide.FOLDER.glob("*.md"))


@PAGES
def test_a_page_begins_with_a_title_and_a_sentence(page: guide.Page) -> None:
    lines = page.text.splitlines()
    assert lines[0] == f"# {page.title}"
    assert lines[1] == ""
    assert page.summary.endswith(".")
    assert 20 < len(page.summary) <= LONGEST_SUMMARY
    assert page.text.count("\n# ") == sum(block.text.count("\n# ") for block in reading.blocks(page))


@PAGES
def test_a_page_is_short_and_narrow(page: guide.Page) -> None:
    assert page.text.count("\n") <= MOST_LINES
    long = [line for line in page.text.splitlines() if len(line) > MOST_COLUMNS and not line.startswith("|")]
    assert not long
    assert page.text.count("```") == 2 * len(reading.blocks(page))


@PAGES
def test_links_lead_to_pages_and_say_which(page: guide.Page) -> None:
    for words, address in reading.links(page):
        if not address.startswith("https://"):
            # In a terminal nothing but the words is left of it.
            assert address == f"{words}.md"
            assert words in guide.ORDER


def test_every_page_is_linked() -> None:
    linked = {words for page in guide.pages() for words, _ in reading.links(page)}
    assert linked >= set(guide.ORDER) - {"start"}


def test_a_page_is_found_by_its_beginning() -> None:
    assert guide.page("keys").topic == "keys"
    assert guide.page("local").topic == "local-models"
    assert guide.page("Local Models").topic == "local-models"
    assert guide.page("themes.md").topic == "themes"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("st", "start, steering, strategies"),
        ("troubleshoting", "troubleshooting"),
        ("ollama", "local-models"),
    ],
)
def test_a_name_that_is_no_page_is_told_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        guide.page(name)


@pytest.mark.parametrize("name", ["", "  ", "xyzzy", "../start", "start/../start"])
def test_nothing_but_a_page_is_opened(name: str) -> None:
    with pytest.raises(UsageError, match="`moa-tui guide` lists"):
        guide.page(name)


def test_sections_hold_the_whole_page() -> None:
    for page in guide.pages():
        joined = "\n".join(f"{section.heading}\n{section.text}" for section in page.sections)
        assert [
            word for line in page.text.splitlines() for word in line.lstrip("# ").split()
        ] == joined.split()


def test_a_heading_in_code_begins_no_section() -> None:
    page = guide.Page("x", "X", "", "# X\n\nOne.\n\n```sh\n# no heading\n```\n\n## Y\n\nTwo.\n")
    assert [(section.heading, section.text) for section in page.sections] == [
        ("X", "One.\n\n```sh\n# no heading\n```"),
        ("Y", "Two."),
    ]


# What a newcomer may ask, with the pages that answer it.
QUESTIONS = {
    "how do I use my own Ollama?": "local-models",
    "what does it cost": "budgets",
    "change a key of the keyboard": "config",
    "delete a conversation": "conversations",
    "import from ChatGPT": "export",
    "connection refused": "troubleshooting",
    "exit codes": "shell",
    "which recipe should I use?": "strategies",
    "make my own theme": "themes",
    "what is a Mixture of Agents": "how-it-works",
    "OPENAI_API_KEY": "start",
    "quorum": "speed",
    "can I attach a picture?": "chat",
    "does it search the web?": "chat",
    "how do I quit": "keys chat",
    "is my API key safe?": "safety",
    "why is it slow": "speed",
    "choose another recipe": "chat",
    "does it work with LM Studio?": "local-models",
    "compare two recipes": "steering",
    "what does partial mean": "errors chat",
    "How do I add my OpenAI key?": "start",
    "How can I see what each model wrote?": "chat",
    "How much does a run cost?": "budgets",
    "How do I stop a slow model?": "chat speed",
    "Which recipe is best for code?": "strategies",
    "How do I export a chat as HTML?": "export",
    "How do I change the theme?": "themes",
    "Where is my data kept?": "conversations config",
    "How do I write my own recipe?": "recipes",
    "What is the difference between rank and vote?": "strategies layers",
    "how do i resume yesterday's chat": "conversations keys",
    "can two models debate": "strategies",
    "rate limit 429": "errors troubleshooting",
    "change temperature": "steering recipes",
    "is it better than one model": "how-it-works",
    "why are answers simulated": "start troubleshooting",
    "how do I pipe a file in": "shell",
    "use my company's gateway": "servers",
    "compare GPT and Claude": "steering",
    "undo delete": "conversations screen-keys",
    "how to install": "start",
    "incorrect API key provided": "troubleshooting",
    "model not found": "troubleshooting errors",
    "insufficient quota": "troubleshooting errors",
    "how do I use vLLM on another machine": "servers local-models",
    "where are my conversations stored": "conversations",
    "reasoning effort": "recipes speed chat keys",
    "the terminal says connection lost": "troubleshooting",
    "proxy certificates": "servers",
    "anthropic key": "start",
    "json output": "shell",
    "private conversation": "conversations",
    "leave out an answer": "steering keys",
    "does it work with a screen reader?": "plain",
    "chat over a serial line": "plain",
    "max_tokens": "recipes troubleshooting errors",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_page_that_answers_the_question_is_found(question: str) -> None:
    assert {section.topic for section in guide.search(question)[:3]} & set(QUESTIONS[question].split())


def test_most_often_it_is_the_first() -> None:
    first = {question: guide.search(question)[0].topic for question in QUESTIONS}
    others = [question for question, topics in QUESTIONS.items() if first[question] not in topics.split()]
    assert len(others) <= 5, others


def test_a_message_is_found_by_its_words() -> None:
    for message in ("Model  not found", "the stream ended without saying", "is signed by nobody that"):
        assert guide.search(message)[0].topic == "troubleshooting"


def test_nothing_is_found_where_no_word_is_in_the_guide() -> None:
    assert guide.search("xyzzy qwrtz") == []
    assert guide.search("how do I") == []
    assert guide.search("what is 2+2") == []
    assert guide.search("") == []


@pytest.mark.parametrize("size", range(1, len("export") + 1))
def test_while_a_word_is_typed_its_beginning_is_enough(size: int) -> None:
    sections = guide.search("export"[:size], is_typing=True)
    assert "export" in {section.topic for section in sections}
    if size > 1:
        assert sections[0].topic == "export"


def test_the_words_before_the_one_that_is_typed_are_whole() -> None:
    assert guide.search("own serv", is_typing=True)[0].topic in ("servers", "local-models")
    assert guide.search("exp xyzzy", is_typing=True) == []
    assert guide.search("exp") == []
    # "the" says nothing, and is how "themes" begins.
    assert guide.search("the") == []
    assert guide.search("the", is_typing=True)[0].topic == "themes"


@pytest.mark.parametrize(
    "message",
    [
        'no recipe is called "fusoin"; known are: attention-moa, cascade',
        "moa-tui: cannot run: these environment variables are not set: OPENAI_API_KEY",
    ],
)
def test_a_message_is_found_whatever_stands_in_place_of_its_ellipsis(message: str) -> None:
    assert guide.search(message, is_typing=True)[0].topic == "troubleshooting"


@pytest.mark.parametrize(
    "text",
    [
        *("x" * 1_000_000, "a b c d " * 100_000, " ".join(f"w{number}" for number in range(100_000))),
        *("`" * 100_000, "\x1b[31m\u202e\u0000", "字" * 100_000, "\u0301" * 100_000, "…" * 100_000),
    ],
    ids=range(8),
)
def test_of_a_long_text_only_the_beginning_is_searched_for(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    forms = SectionIndex._forms

    def noting(index: SectionIndex, word: str, *, is_beginning: bool) -> list[str]:
        asked.append(word)
        return forms(index, word, is_beginning=is_beginning)

    monkeypatch.setattr(SectionIndex, "_forms", noting)
    guide.search(text, is_typing=True)
    assert len(asked) <= 64
    assert all(len(word) <= 64 for word in asked)


def test_a_section_says_where_it_begins_in_its_page() -> None:
    for page in guide.pages():
        lines = page.text.splitlines()
        assert [lines[section.line].lstrip("# ") for section in page.sections] == [
            section.heading for section in page.sections
        ]
