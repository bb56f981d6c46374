"""Finding: what is wanted and how it is written, where it is, and what is shown of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moa_tui.conversation import Conversation
from moa_tui.store import Store
from moa_tui.store.search_text import SearchQuery, folded_evenly
from tests.conversations import a_turn, conversation_of, texts
from tests.store.helpers import Prose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.conversation import Hit


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Prompts that differ, each in a conversation named after it; every answer is the same."""
    with Store(tmp_path_factory.mktemp("data") / "moa-tui.db") as store:
        for name, prompt in PROMPTS.items():
            store.save(conversation_of((prompt, "ok"), id=name))
        yield store


PROMPTS = {
    "fox": "The quick brown fox jumps over the lazy dog",
    "dog": "A brown dog; the fox is quick, said foxglove",
    "accents": "Résumé of a naïve ÉCOLE, Straße, İstanbul",
    "decomposed": "A re\u0301sume\u0301 written by a Mac",
    "chinese": "如何用漢字寫一封信。東京都に住んでいます",
    "korean": "한국어로 대답해 주세요",
    "thai": "ประเทศไทย",
    "emoji": "Ship it🚀 with a 👩‍👩‍👧 family ☕",
    "code": "def snake_case(x): return x->y; C++ at 20 °C, don't col:x -y ^z NEAR(a b)",
    "nul": "before\0behind \ud800surrogate\udfff",
    "hostile": 'quote " star * AND OR NOT "phrase',
}


def prompts(store: Store, wanted: str) -> set[str]:
    """The names of the prompts that were found as prompts."""
    return {hit.summary.id for hit in store.search(wanted, 100) if hit.where == "prompt"}


def marked(hit: Hit) -> list[str]:
    return [hit.context[start:end] for start, end in hit.marks]


# --- what is wanted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("fox", {"fox", "dog"}),
        ("fox dog brown", {"fox", "dog"}),
        ("fox jumps", {"fox"}),
        ('"brown fox"', {"fox"}),
        ('"fox brown"', set()),
        ('"brown fox" dog', {"fox"}),
        ('dog "lazy d', {"fox"}),
        ("foxg", {"dog"}),
        ("fo do", set()),
        ("dog fo", {"fox", "dog"}),
        ("fo ", set()),
        ('"fo"', set()),
        ("FOX", {"fox", "dog"}),
        ("resume", {"accents", "decomposed"}),
        ("RÉSUMÉ", {"accents", "decomposed"}),
        ("re\u0301sume\u0301", {"accents", "decomposed"}),
        ("naive ecole", {"accents"}),
        ("漢字", {"chinese"}),
        ("字漢", set()),
        ("京都", {"chinese"}),
        ("住んで", {"chinese"}),
        ("信 東京", {"chinese"}),
        ("한국", {"korean"}),
        ("ไทย", {"thai"}),
        ("🚀", {"emoji"}),
        ("it🚀", {"emoji"}),
        ("👩‍👩‍👧", {"emoji"}),
        ("☕ ship", {"emoji"}),
        ("🐢", set()),
        ("snake_case", {"code"}),
        ("case", {"code"}),
        ("20 °C", {"code"}),
        ("don't", {"code"}),
        ("col:x", {"code"}),
        ("-y", {"code"}),
        ("^z", {"code"}),
        ("NEAR(a b)", {"code"}),
        ("AND", {"hostile"}),
        ("star *", {"hostile"}),
        ('star "', {"hostile"}),
        ('phrase" star', {"hostile"}),
        ("fox\0lazy", set()),
        ("quick\0brown", {"fox"}),
        ("behind surrogate", {"nul"}),
        ("before", {"nul"}),
    ],
)
def test_it_finds_what_is_wanted_and_nothing_else(library: Store, wanted: str, names: set[str]) -> None:
    assert prompts(library, wanted) == names


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        " ",
        '"',
        '""',
        '"" ""',
        "*",
        "^",
        "-",
        "()",
        "\0",
        "\ud800",
        "_",
        ":",
        "'",
        "&|!",
        "\u0301",
        "\u200d",
    ],
)
def test_nothing_is_found_where_nothing_is_asked(library: Store, wanted: str) -> None:
    assert library.search(wanted, 10) == []


@pytest.mark.parametrize(
    "wanted",
    [
        *("fox*", "fox^2", "{fox}: x", "NEAR(fox, 3", "fox NOT dog", '"fox', "fox + dog", "search MATCH 'x'"),
        "text : fox",
        "'; DROP TABLE parts; --",
        "fox " * 2500,
        "x" * 10_000,
        '"' * 10_000,
        "漢" * 10_000,
        "(" * 10_000,
        "a AND " * 1700,
        " ".join(Prose().text(10_000).split()),
    ],
    ids=range(17),
)
def test_no_question_breaks_the_search(library: Store, wanted: str) -> None:
    library.search(wanted, 10)
    assert prompts(library, "lazy") == {"fox"}


def test_of_a_pasted_page_the_first_words_are_looked_for() -> None:
    words = Prose().text(10_000).split()
    assert SearchQuery(" ".join(words)).match_expression.count(" AND ") == 49


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(wanted=texts() | st.text(st.sampled_from('fox "*^-:()漢😀é\0\ud800ANDRN'), max_size=20))
def test_any_question_is_answered(library: Store, wanted: str) -> None:
    for hit in library.search(wanted, 100):
        assert all(0 <= start < end <= len(hit.context) for start, end in hit.marks)


# --- where it is ------------------------------------------------------------------------------------------


def test_a_hit_says_where_it_is_and_whose(store: Store) -> None:
    turn = a_turn("About moas?", "The aggregated moa")
    made = Conversation((turn,), turn, title="My moa notes", tags=("birds",))
    store.save(made)
    found = [(hit.where, hit.agent, hit.turn, hit.context, marked(hit)) for hit in store.search("moa", 10)]
    assert found == [
        ("title", "", "", "My moa notes #birds", ["moa"]),
        ("answer", "judge", turn.id, "The aggregated moa", ["moa"]),
        ("proposer", "agent-2", turn.id, "Answer 1.2 to About moas?", ["moa"]),
        ("proposer", "agent-1", turn.id, "Answer 1.1 to About moas?", ["moa"]),
        ("prompt", "", turn.id, "About moas?", ["moa"]),
    ]
    summary = store.summaries()[0]
    assert {hit.summary for hit in store.search("moa", 10)} == {summary}
    assert [hit.where for hit in store.search("moa", 2)] == ["title", "answer"]


def test_the_newest_come_first_and_the_summary_is_of_their_own_conversation(store: Store) -> None:
    made = [conversation_of((f"question {number} of gulls", "ok"), title=f"t{number}") for number in range(3)]
    for each in made:
        store.save(each)
    hits = [hit for hit in store.search("gulls", 50) if hit.where == "prompt"]
    assert [hit.summary.id for hit in hits] == [each.id for each in reversed(made)]
    assert [hit.summary.name for hit in hits] == ["t2", "t1", "t0"]


def test_thrown_away_is_left_out_and_archived_is_not(store: Store) -> None:
    deleted, archived = (conversation_of((f"gulls {name}", "ok"), title=f"gulls {name}") for name in "ab")
    for each in (deleted, archived):
        store.save(each)
    store.change(deleted.id, deleted=time.time())
    store.change(archived.id, archived=True)
    assert {hit.summary.id for hit in store.search("gulls", 50)} == {archived.id}
    store.change(deleted.id, deleted=None)
    assert {hit.summary.id for hit in store.search("gulls", 50)} == {archived.id, deleted.id}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("foot ball", False),
        ("football", True),
        ("foo", True),
        ("foo ", False),
        ("über football", True),
        ("uber uber", True),
        ("football table", False),
        ('"football uber"', True),
        ("足球", True),
    ],
)
def test_a_title_holds_all_words_or_is_not_found(store: Store, wanted: str, found: bool) -> None:
    store.save(conversation_of(("?", "!"), title="Football, ÜBER alles: 足球"))
    assert [hit.where for hit in store.search(wanted, 5)] == (["title"] if found else [])


# --- what is shown ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "text", "marks"),
    [
        ("fox", "fox foxes Fox-hunt firefox", ["fox", "fox", "Fox"]),
        ("fox ", "fox foxes Fox-hunt firefox", ["fox", "Fox"]),
        ("fox hunt", "fox foxes Fox-hunt firefox", ["fox", "Fox", "hunt"]),
        ('"fox hunt"', "fox foxes Fox-hunt firefox", ["Fox-hunt"]),
        ("resume", "Résumé re\u0301sume\u0301 RESUME", ["Résumé", "re\u0301sume\u0301", "RESUME"]),
        ("漢字", "a漢字b 漢、字 字漢", ["漢字", "漢、字"]),
        ("b", "a漢字b", ["b"]),
        ("🚀", "go🚀🚀!", ["🚀", "🚀"]),
        ("case", "snake_case", ["case"]),
        ("İstanbul", "in İstanbul", ["İstanbul"]),
        ("istanbul", "in İstanbul", ["İstanbul"]),
        ("a.b", "a.b a b axb", ["a.b", "a b"]),
    ],
)
def test_exactly_what_was_wanted_is_marked(wanted: str, text: str, marks: list[str]) -> None:
    shown, places = SearchQuery(wanted).context(text)
    assert shown == text
    assert [shown[start:end] for start, end in places] == marks


def test_the_surroundings_are_on_one_line_and_cut_at_words() -> None:
    text = f"{'before ' * 50}\nthe\tword\x85here\n{'after ' * 50}"
    shown, places = SearchQuery("word").context(text)
    assert shown.startswith("…before before")
    assert shown.endswith("…")
    assert "the word here after" in shown
    assert [shown[start:end] for start, end in places] == ["word"]
    assert len(shown) < 170


@given(st.text())
def test_folding_keeps_every_place(text: str) -> None:
    assert len(folded_evenly(text)) == len(text)


def test_a_word_deep_in_a_megabyte_is_found_and_shown(store: Store) -> None:
    text = Prose().text(1_000_000)
    store.save(conversation_of((f"{text} é needle {text}", "ok")))
    (hit,) = [hit for hit in store.search("needle", 5) if hit.where == "prompt"]
    assert marked(hit) == ["needle"]
    assert "é needle" in hit.context
