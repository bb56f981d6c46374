"""What ChatGPT's page shows is taken, and what it hides stays hidden."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.formats.foreign.citations import with_plain_citations
from tests.formats.helpers import chatgpt, node, pairs

if TYPE_CHECKING:
    from tests.formats.conftest import Importing

CITE = "\ue200cite\ue202turn0search1\ue201"


def chain(*messages: dict[str, Any]) -> dict[str, Any]:
    """A conversation in which the messages follow each other; each is a node's message."""
    nodes = {
        str(number): {
            "id": str(number),
            "parent": str(number - 1),
            "children": [str(number + 1)],
            "message": message,
        }
        for number, message in enumerate(messages)
    }
    return {"title": "T", "create_time": 1.7e9, "mapping": nodes, "current_node": str(len(messages) - 1)}


def message(role: str, *parts: object, kind: str = "text", **more: Any) -> dict[str, Any]:
    content = {"content_type": kind, "parts": list(parts)} if parts else {"content_type": kind}
    return {
        "author": {"role": role},
        "content": content,
        "weight": 1.0,
        "recipient": "all",
        "metadata": {},
    } | more


HIDDEN = {"is_visually_hidden_from_conversation": True}


@pytest.mark.parametrize(
    ("hidden", "note"),
    [
        (message("system", "Secret."), "1 hidden message"),
        (message("user", "Secret.", metadata=HIDDEN), "1 hidden message"),
        (message("assistant", "Secret.", metadata=HIDDEN), "1 hidden message"),
        (message("user", "Secret.", weight=0), "1 hidden message"),
        (message("assistant", "Secret.", weight=0.0), "1 hidden message"),
        (message("assistant", "Secret.", recipient="web"), "1 tool call"),
        (message("assistant", "Secret.", recipient="dalle.text2im"), "1 tool call"),
        (message("tool", "Secret."), "1 tool message"),
        (message("tool", kind="execution_output") | {"recipient": "all"}, "1 tool message"),
        (message("user", kind="user_editable_context", metadata=HIDDEN), "1 custom instruction"),
        (message("assistant", kind="model_editable_context"), "1 custom instruction"),
        (message("assistant", kind="reasoning_recap"), "1 reasoning recap"),
        (message("system", ""), ""),
    ],
)
def test_what_the_page_hides_is_left_out_and_counted(
    imported: Importing, hidden: dict[str, Any], note: str
) -> None:
    """mohamed-chs/convoviz, docs/dev/chatgpt-spec.md: "Identifying Hidden Messages"."""
    result = imported([chain(hidden, message("user", "Q"), hidden, message("assistant", "A"))])
    assert pairs(result.conversations[0]) == [("Q", "A")]
    expected = note.replace("1 ", "2 ").replace("recap", "recaps").replace("instruction", "instructions")
    assert result.notes == (
        (f"{expected.replace('message', 'messages').replace('call', 'calls')} left out",) if note else ()
    )


def test_a_weight_that_is_no_number_hides_nothing(imported: Importing) -> None:
    for weight in (None, False, "0", 1):
        result = imported(
            chain(message("user", "Q", weight=weight), message("assistant", "A", recipient=None))
        )
        assert pairs(result.conversations[0]) == [("Q", "A")]


def test_thoughts_are_the_reasoning_of_the_answer(imported: Importing) -> None:
    thoughts = {
        "content_type": "thoughts",
        "thoughts": [{"summary": "Plan", "content": "Count."}, {"content": "2."}],
    }
    thinking = message("assistant") | {"content": thoughts}
    (conversation,) = imported(chain(message("user", "Q"), thinking, message("assistant", "A"))).conversations
    (turn,) = conversation.turns
    assert turn.outcome is not None
    assert turn.outcome.answer == "A"
    assert [reply.reasoning for reply in turn.outcome.replies.values()] == ["Plan\nCount.\n\n2."]


@pytest.mark.parametrize("form", ["code", "parts", "object"])
def test_the_text_of_a_canvas_is_kept(imported: Importing, form: str) -> None:
    document = {"name": "game", "type": "code/python", "content": "print('''\n```\n''')"}
    given: dict[str, Any] = {"content_type": "code", "language": "json", "text": json.dumps(document)}
    if form != "code":
        given = {"content_type": "text", "parts": [document if form == "object" else json.dumps(document)]}
    created = message("assistant", recipient="canmore.create_textdoc") | {"content": given}
    rewritten = {"updates": [{"pattern": ".*", "multiple": False, "replacement": "print(2)"}]}
    changed = {"updates": [{"pattern": "2", "multiple": False, "replacement": "3"}]}
    updates = [
        message("assistant", json.dumps(each), recipient="canmore.update_textdoc")
        for each in (rewritten, changed)
    ]
    result = imported(chain(message("user", "Q"), created, *updates, message("assistant", "Done.")))
    text = "**game**\n\n````python\nprint('''\n```\n''')\n````\n\nprint(2)\n\nDone."
    assert pairs(result.conversations[0]) == [("Q", text)]
    assert result.notes == ("1 canvas change left out",)


@pytest.mark.parametrize("text", ['{"name": "torn', "[" * 5_000, "no JSON"])
def test_a_canvas_that_cannot_be_read_is_kept_as_it_is(imported: Importing, text: str) -> None:
    canvas = message("assistant", text, recipient="canmore.create_textdoc")
    result = imported(chain(message("user", "Q"), canvas))
    assert pairs(result.conversations[0]) == [("Q", f"```\n{text}\n```")]


def test_images_and_files_are_named_by_a_line(imported: Importing) -> None:
    pointer = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1", "width": 1}
    drawn = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_2"}
    spoken = {"content_type": "audio_transcription", "text": "Spoken.", "direction": "in"}
    attachments = [
        {"id": "file-1", "name": "cat.jpg", "mime_type": "image/jpeg"},
        {"id": "file-9", "name": "a\u202e\n.pdf", "mime_type": "application/pdf"},
    ]
    asked = message(
        "user", pointer, "What?", spoken, kind="multimodal_text", metadata={"attachments": attachments}
    )
    tool = message("tool", drawn, kind="multimodal_text", metadata={"image_gen_title": "A cat"})
    result = imported(chain(asked, tool, message("assistant", "This.")))
    assert pairs(result.conversations[0]) == [
        ("[image: cat.jpg]\nWhat?\nSpoken.\n[attachment: a .pdf]", "[image: A cat]\n\nThis.")
    ]
    assert set(result.notes) == {"2 images left out", "1 attachment left out"}


def test_the_model_is_that_of_the_message_or_of_the_conversation(imported: Importing) -> None:
    document = chain(
        message("user", "Q"), message("assistant", "A", metadata={"model_slug": "o3"}), message("user", "R")
    )
    document["default_model_slug"] = "gpt-5"
    (conversation,) = imported(document).conversations
    assert [turn.recipe.lineup[0][0].model for turn in conversation.turns] == [
        "imported/o3",
        "imported/gpt-5",
    ]


def test_a_node_may_have_another_name_than_its_id(imported: Importing) -> None:
    document = chatgpt(node("u", None, "user", "Q", ("a",)), node("a", "u", "assistant", "A"), current="a")
    document["mapping"] = {f"key {name}": each for name, each in document["mapping"].items()}
    assert pairs(imported(document).conversations[0]) == [("Q", "A")]


@pytest.mark.parametrize("bad", ["author", "content", "metadata", "create_time", "recipient", "weight"])
@pytest.mark.parametrize("value", [None, 7, [], "x", {}, [[]], True])
def test_a_field_of_another_type_costs_no_other_message(imported: Importing, bad: str, value: object) -> None:
    spoiled = message("assistant", "Spoiled.") | {bad: value}
    result = imported(chain(message("user", "Q"), spoiled, message("assistant", "A")))
    ((prompt, answer),) = pairs(result.conversations[0])
    assert prompt == "Q"
    assert answer.endswith("A")


# Citations


REFERENCES = {
    "content_references": [
        {
            **{"matched_text": CITE, "start_idx": 2, "end_idx": 20, "type": "grouped_webpages"},
            "items": [{"title": "X", "url": "https://x.org/a_(b)?utm_source=chatgpt.com"}],
        },
        {"matched_text": " ", "type": "sources_footnote", "sources": []},
        {
            "matched_text": "\ue200filecite\ue202turn3file0\ue202L8-L12\ue201",
            "type": "file",
            "name": "plan.docx",
        },
    ],
    "search_result_groups": [
        {
            "entries": [
                {"url": "https://n.org", "ref_id": {"turn_index": 0, "ref_type": "news", "ref_index": 2}}
            ]
        }
    ],
}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"A {CITE}.", "A [1](https://x.org/a_%28b%29?utm_source=chatgpt.com)."),
        (f"{CITE} {CITE}", " ".join(["[1](https://x.org/a_%28b%29?utm_source=chatgpt.com)"] * 2)),
        ("B \ue200cite\ue202turn0news2\ue202turn9search9\ue201.", "B [1](https://n.org) [2]."),
        ("C citeturn0search4turn0search5.", "C [1] [2]."),
        ("D \ue200filecite\ue202turn3file0\ue202L8-L12\ue201", "D [1]"),
        ('\ue200entity\ue202["company","Motorola","maker of phones"]\ue201 phones', "Motorola phones"),
        ("\ue200entity\ue202plain label\ue201", "plain label"),
        ("\ue200url\ue202Tesla\ue202https://tesla.com\ue201", "[Tesla](https://tesla.com)"),
        ("\ue200url\ue202Tesla\ue202javascript:alert(1)\ue201", "Tesla"),
        ("\ue200navlist\ue202Headlines\ue202turn0news1\ue201", "Headlines [1]"),
        ('E \ue200image_group\ue202{"query":["a"]}\ue201\ue200genui\ue202{"x":1}\ue201', "E "),
        ("Cut \ue200cite\ue202turn0search3 and on", "Cut [1] and on"),
        ("Cut \ue200cite\ue202turn0 and on", "Cut  and on"),
        ("\ue203A sentence.\ue204\ue202turn0search0\ue206 On", "A sentence.[1] On"),
        ("stray \ue200 and \ue20b, but \uf8ff stays", "stray  and , but \uf8ff stays"),
        ("【1†source】", "【1†source】"),
        ("A turn0search1 as a word, excite, recite", "A turn0search1 as a word, excite, recite"),
    ],
)
def test_marks_of_sources_become_plain(text: str, plain: str) -> None:
    """The forms are those of mohamed-chs/convoviz, renderers/markdown.py, and of pionxzh/chatgpt-exporter."""
    assert with_plain_citations(text, REFERENCES) == plain
    assert not any("\ue200" <= character <= "\ue20f" for character in with_plain_citations(text, {}))


def test_an_older_mark_is_linked_by_its_place_in_the_text() -> None:
    """danny-avila/LibreChat, chatgpt-citations.json: `start_ix` and `end_ix`."""
    text = "It is so【0†source】, and so【3†other】."
    source = {"type": "webpage", "title": "T", "url": "https://s.org"}
    citations = [
        {"start_ix": 8, "end_ix": 18, "metadata": source},
        {"start_ix": 0, "end_ix": 5, "metadata": source},
        {"start_ix": -1, "end_ix": 10**30, "metadata": source},
        {"start_ix": "a", "metadata": None},
        7,
    ]
    plain = with_plain_citations(text, {"citations": citations})
    assert plain == "It is so[1](https://s.org), and so【3†other】."


def test_what_a_user_writes_keeps_its_private_characters(imported: Importing) -> None:
    result = imported(chain(message("user", "Icon \ue201?"), message("assistant", CITE, metadata=REFERENCES)))
    assert pairs(result.conversations[0])[0][0] == "Icon \ue201?"


@pytest.mark.parametrize(
    "text",
    [
        "\ue200cite" * 200_000,
        "\ue202" * 500_000,
        "\ue200a\ue202" * 200_000,
        "\ue200a" + "\ue202x" * 300_000,
        f"\ue200cite\ue202{'turn0search1' * 50_000}",
        "cite" * 200_000,
        "citeturn0search1turn0" * 50_000,
        "【1†" * 200_000,
        "\ue200" + "a" * 1_000_000,
    ],
    ids=range(9),
)
def test_a_text_of_marks_is_read_once(text: str) -> None:
    begin = time.thread_time()
    with_plain_citations(text, REFERENCES)
    assert time.thread_time() - begin < 3
