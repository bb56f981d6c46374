"""A conversation as a page: everything in it, nothing loaded, nothing run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings

from moa_tui.conversation import Conversation
from moa_tui.engine.values import CallId, Failure
from moa_tui.formats.export import render
from tests.conversations import (
    HOSTILE_TEXTS,
    NOON,
    a_conversation,
    a_reply,
    a_turn,
    an_outcome,
    conversation_of,
    conversations,
    with_branches,
)
from tests.formats.helpers import HUGE, as_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

some = settings(max_examples=15, deadline=None)
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "figure"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "span", "ul", "ol", "li", "strong", "em", "s", "hr"),
    *("br", "a", "pre", "code", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "figcaption"),
    *("details", "summary", "svg", "rect", "line", "text"),
}
VOID = {"meta", "br", "hr"}
HOSTILE = conversation_of(*((text, text) for text in HOSTILE_TEXTS), title=HOSTILE_TEXTS[1])


class Page(HTMLParser):
    """What a page is made of: its elements, with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.blocks: dict[str, list[str]] = {}
        self.other: list[str] = []
        self.unclosed: list[str] = []
        self._within: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)
            kind = dict(attrs).get("class") or tag
            self._within.append(kind)
            self.blocks.setdefault(kind, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag
        self._within.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        for kind in set(self._within):
            self.blocks[kind][-1] += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)


def page(conversation: Conversation) -> Page:
    return Page(render([conversation], "html"))


# The controls that turn the direction of writing around.
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def as_shown(text: str) -> str:
    """A text as the page has it, worked out another way than the page does."""
    text = as_file(text).replace("\r\n", "\n")
    shown = ""
    for character in text:
        if character in "\r\x85\u2028\u2029":
            shown += "\n"
        elif character < " " and character not in "\n\t":
            shown += chr(0x2400 + ord(character))
        elif character == "\x7f":
            shown += "␡"
        elif "\x80" <= character < "\xa0" or character in _TURNING:
            shown += "\ufffd"
        elif character not in "\u061c\u200e\u200f":
            shown += character
    return shown


@given(conversations())
@example(HOSTILE)
@example(a_conversation(1, 12, 12))
@some
def test_a_page_has_no_script_no_handler_and_loads_nothing(conversation: Conversation) -> None:
    shown = page(conversation)
    assert shown.unclosed == []
    assert shown.other == []
    for tag, attrs in shown.elements:
        assert tag in ELEMENTS
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "style", "srcset")]
        if "href" in attrs:
            assert tag == "a"
            assert re.match("https?://|mailto:", attrs["href"] or "", re.IGNORECASE)
            assert attrs["rel"] == "noreferrer noopener"
    styles = "".join(shown.blocks["style"])
    assert not re.search(r"url\(|@import|expression|</", styles)


@given(conversations())
@example(HOSTILE)
@example(HUGE)
@some
def test_every_prompt_answer_and_proposers_text_can_be_taken_from_the_page(
    conversation: Conversation,
) -> None:
    shown = page(conversation)
    prompts = shown.blocks.get("text plain prompt", [])
    whole = "".join(shown.texts)
    for turn in conversation.turns:
        assert as_shown(turn.prompt) in prompts
        for reply in turn.outcome.replies.values() if turn.outcome else ():
            for text in (reply.text, reply.reasoning):
                # Without a mark of any kind there is nothing to show.
                assert as_shown(text) in whole or not text.strip()


@given(conversations())
@example(HOSTILE)
@settings(max_examples=5, deadline=None)
def test_no_texts_heading_passes_for_a_turn(conversation: Conversation) -> None:
    shown = page(conversation)
    assert shown.blocks.get("h2", []) == [
        f"Turn {number}" for number in range(1, len(conversation.turns) + 1)
    ]


def test_the_policy_comes_before_anything_it_could_stop() -> None:
    shown = page(a_conversation())
    (policy,) = [
        attrs for tag, attrs in shown.elements if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy["content"] == (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
    assert [tag for tag, _ in shown.elements[:4]] == ["html", "head", "meta", "meta"]


def test_an_answer_is_markdown_with_its_source() -> None:
    shown = page(
        conversation_of(("?", "# Title\n\n**bold** <b>not</b> [to](https://example.org/)\n\n|a|\n|-|\n|b|"))
    )
    assert "bold" in shown.blocks["strong"]
    assert "Title" in shown.blocks["h4"]
    assert "b" in shown.blocks["td"]
    assert "<b>not</b>" in "".join(shown.texts)
    assert ("a", {"href": "https://example.org/", "rel": "noreferrer noopener"}) in shown.elements
    assert "# Title\n\n**bold**" in shown.blocks["pre"][0]


@pytest.mark.parametrize(
    "source",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x](data:text/html,x)",
        "![x](data:image/png;base64,AAAA)",
        "[x](vbscript:x)",
        "[x](file:///etc/passwd)",
        "[x](//example.org)",
        "<ftp://example.org>",
        "[x]\n\n[x]: javascript:alert(1)",
    ],
)
def test_a_link_that_leads_elsewhere_than_to_web_or_mail_stays_text(source: str) -> None:
    assert "href" not in render([conversation_of(("?", source))], "html")


def test_what_markdown_does_not_own_stays_as_it_was_written() -> None:
    shown = page(
        conversation_of(
            (
                "?",
                r"\( x_1 = \{a,b\} \) **注意：**这里" + "\n\n|a|\n|-|\n|b<br>c|\n\n[1]: https://example.org",
            )
        )
    )
    assert r"\( x_1 = \{a,b\} \)" in "".join(shown.texts)
    assert "注意：" in shown.blocks["strong"]
    assert [tag for tag, _ in shown.elements].count("br") == 1
    assert ": https://example.org" in "".join(shown.texts)


def test_an_image_is_a_link_that_nobody_has_to_follow() -> None:
    shown = page(
        conversation_of(("?", "![a cat](http://192.0.2.1/cat.png) [![in](http://192.0.2.1/a)](http://b.c/)"))
    )
    links = [attrs["href"] for tag, attrs in shown.elements if tag == "a"]
    assert links[:2] == ["http://192.0.2.1/cat.png", "http://b.c/"]
    assert shown.blocks["a"][:2] == ["image: a cat", "[image: in http://192.0.2.1/a]"]


def one_failed() -> Conversation:
    turn = a_turn()
    replies = {
        CallId(1, 1): a_reply("Fine.", agent="one"),
        CallId(1, 2): a_reply(
            "",
            "failed",
            agent="two",
            error=Failure("rate_limit", "429: too many <requests>", 429),
            attempts=3,
            notes=("fell back to three",),
        ),
        CallId(1, 3): a_reply(
            "Before.", agent="kept", reused=True, started=None, first_token=None, reasoning="Hm."
        ),
        CallId(2, 1): a_reply(
            "The answer.", agent="judge", queued=3.0, started=3.5, first_token=4.0, ended=6.0
        ),
    }
    outcome = an_outcome(replies, notes=("one was left out",))
    return Conversation((replace(turn, outcome=outcome),), turn, created=NOON)


def test_each_call_tells_its_state_in_glyph_and_word_its_numbers_error_and_notes() -> None:
    shown = page(one_failed())
    assert shown.blocks["status done"][0] == "✓ done"
    assert shown.blocks["status failed"] == ["✗ failed"]
    assert "429: too many <requests>" in shown.blocks["error"]
    assert "note: fell back to three" in shown.blocks["notes"]
    assert "note: one was left out" in shown.blocks["notes"]
    assert "Hm." in shown.blocks["pre"][2]
    header = next(text for text in shown.blocks["header"] if "L1.1 one" in text)
    assert "✓ done, 40 tokens, 2.5 s, $0.0020" in header


def test_the_timeline_has_a_bar_for_each_phase_of_each_call_that_was_made() -> None:
    shown = page(one_failed())
    bars = [attrs for tag, attrs in shown.elements if tag == "rect" and attrs["height"] == "12"]
    assert [(bar["class"], bar["x"], bar["width"]) for bar in bars] == [
        (kind, f"{210 + 680 * begin / 6:.1f}", f"{680 * (end - begin) / 6:.1f}")
        for queued, started, first, ended in ((0, 0.5, 1, 3), (0, 0.5, 1, 3), (3, 3.5, 4, 6))
        for kind, begin, end in (
            ("queued", queued, started),
            ("asked", started, first),
            ("writing", first, ended),
        )
    ]
    drawn = shown.blocks["text"] + shown.blocks["slowest"]
    assert "✗ 3.0 s ↻2" in drawn
    assert "✓ done, kept from before" in shown.blocks["quiet"]
    assert drawn.count("◆") == 2


def test_what_is_off_the_active_branch_is_told_after_it() -> None:
    text = render([with_branches()], "html")
    after = text.split("Other branches</h1>")[1]
    assert "Third question?" in after
    assert "Yet another answer." not in after
    assert re.findall(r"<h2>Turn (\d)</h2>", text) == ["1", "2", "3", "4", "5", "6"]


def test_a_turn_without_an_end_and_one_that_failed_say_so() -> None:
    failed = a_turn("One?")
    assert failed.outcome is not None
    outcome = replace(
        failed.outcome, status="failed", answer="", error=Failure("no_references", "nobody answered")
    )
    failed = replace(failed, outcome=outcome)
    unended = replace(a_turn("Two?", parent=failed), outcome=None)
    shown = page(Conversation((failed, unended), unended))
    assert "✗ failed" in shown.blocks["status failed"]
    assert "nobody answered" in shown.blocks["error"]
    assert "not ended" in shown.blocks["place"]


# In a browser


@pytest.fixture(scope="module")
def chromium() -> str:
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "chrome"]
    browser = next((path for name in names if name and (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium is installed; CHROMIUM names one")
    return browser


@pytest.fixture
def web() -> Iterator[HTTPServer]:
    """A web server, and a proxy to all others, that keeps what it is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_CONNECT = do_POST = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def opened(chromium: str, web: HTTPServer, file: Path) -> tuple[str, str, list[str]]:
    """The page as the browser has it after loading, what its console said, what it asked the network for."""
    command = [
        *(
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={file.parent / 'profile'}", "--enable-logging=stderr", "--v=0"),
        *(f"--proxy-server=http://127.0.0.1:{web.server_port}", "--proxy-bypass-list=<-loopback>"),
        *("--virtual-time-budget=2000", "--dump-dom", file.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, timeout=90, check=True)
    console = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    # A browser greets its maker in spite of all switches; what a page asks for goes to the tests' address.
    asked: list[str] = [path for path in web.asked if _OWN.search(path)]  # type: ignore[attr-defined]
    return done.stdout.decode(errors="replace"), "\n".join(console), asked


_OWN = re.compile(r"192\.0\.2\.1|127\.0\.0\.1|localhost")


@pytest.mark.program
def test_in_a_browser_no_text_runs_asks_the_network_or_makes_an_error(
    chromium: str, web: HTTPServer, tmp_path: Path
) -> None:
    here = f"http://127.0.0.1:{web.server_port}"
    attacks = [
        f"</style><script src={here}/a.js></script>",
        f"<img src={here}/b.png onerror=\"document.title='run'\">",
        f"![x]({here}/c.png)",
        f"</pre></details></svg><meta http-equiv=refresh content='0;url={here}/d'>",
        f"<link rel=prefetch href={here}/e><style>@import '{here}/f.css';</style>",
        f"```x\" onmouseover=\"document.title='run'\n{here}\n```",
    ]
    pairs = [(text, text) for text in (*HOSTILE_TEXTS, *attacks)]
    attacked = conversation_of(*pairs, title="Kept </title><script>document.title='run'</script>")
    file = tmp_path / "page.html"
    # Open, so that what is folded away is laid out too.
    file.write_text(render([attacked], "html").replace("<details", "<details open"), encoding="utf-8")
    dom, console, asked = opened(chromium, web, file)
    title = re.search("<title>(.*?)</title>", dom, re.DOTALL)
    assert title is not None
    assert title[1] == "Kept &lt;/title&gt;&lt;script&gt;document.title='run'&lt;/script&gt;"
    assert "</html>" in dom
    assert dom.count("<h2>Turn ") == len(pairs)
    assert "<script" not in dom
    assert "<img" not in dom
    assert console == ""
    assert asked == []


@pytest.mark.program
def test_the_browser_test_would_see_a_script_a_request_and_an_error(
    chromium: str, web: HTTPServer, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text(
        "<title>kept</title><script>document.title = 'run'; console.error('seen')</script>"
        f"<img src=http://127.0.0.1:{web.server_port}/a.png><img src=http://192.0.2.1/b.png>",
        encoding="utf-8",
    )
    dom, console, asked = opened(chromium, web, file)
    assert "<title>run</title>" in dom
    assert "seen" in console
    assert sorted(asked) == [f"http://127.0.0.1:{web.server_port}/a.png", "http://192.0.2.1/b.png"]
