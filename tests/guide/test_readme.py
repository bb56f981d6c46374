"""The README: short, its links lead somewhere, and what it tells to type exists."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from moa_tui import guide
from moa_tui.recipes import files
from moa_tui.recipes.local import MADE_HERE
from moa_tui.ui import keymap
from moa_tui.ui.chat.commands import COMMANDS
from tests.cli.shell import call
from tests.guide import reading
from tests.guide.test_examples import arguments
from tests.guide.test_names import every_command, textual_key
from tests.ui.test_given import classes_with_bindings

ROOT = Path(__file__).parents[2]
README = guide.Page("README", "moa-tui", "", (ROOT / "README.md").read_text(encoding="utf-8"))
LINKS = [address for _, address in reading.links(README)]
PICTURES = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README.text)
MOST_CHARACTERS, MOST_COLUMNS, MOST_BYTES = 7_500, 120, 400_000


def anchors(page: Path) -> set[str]:
    """The names of a file's headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_it_stays_short_and_narrow() -> None:
    assert len(README.text) <= MOST_CHARACTERS
    assert not [
        line
        for line in README.text.splitlines()
        if len(line) > MOST_COLUMNS and not line.startswith(("|", "!"))
    ]


@pytest.mark.parametrize("address", [link for link in LINKS if not link.startswith("https://")])
def test_a_link_leads_to_a_file_of_the_repository(address: str) -> None:
    path, _, heading = address.partition("#")
    assert (ROOT / path).is_file()
    assert not heading or heading in anchors(ROOT / path)


def test_it_has_one_picture_and_the_folder_no_other() -> None:
    [picture] = PICTURES
    assert [ROOT / picture] == sorted((ROOT / picture).parent.iterdir())


def test_the_picture_moves_and_loads_nothing() -> None:
    [picture] = PICTURES
    text = (ROOT / picture).read_text(encoding="utf-8")
    assert len(text.encode()) <= MOST_BYTES
    names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
    assert names == {"svg", "title", "style", "rect", "g", "path", "text"}
    assert "@keyframes" in text
    assert "@media (prefers-reduced-motion:no-preference)" in text
    assert not re.search(r"url\(|href|@import|@font-face", text)


def test_the_picture_tells_the_story() -> None:
    [picture] = PICTURES
    words = " ".join(ElementTree.fromstring((ROOT / picture).read_text(encoding="utf-8")).itertext())
    places = [
        words.index(part) for part in ("layer 1 of 3", "layer 2 of 3", "writing the answer", "left out: ")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("line", sorted(set(reading.commands_of(README))))
def test_commands_can_be_given_so(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _, command in every_command():
        monkeypatch.setattr(command, "callback", lambda *_, **__: None)
    done = call(*arguments(line))
    assert done.exit_code == 0, done.output


def test_options_slash_commands_and_keys_exist() -> None:
    spans = reading.spans(README)
    options = {name for _, command in every_command() for option in command.params for name in option.opts}
    own = [span for span in spans if not span.startswith(("uvx", "pipx"))]
    assert {option for span in own for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", span)} <= options
    assert {span.lstrip("/") for span in spans if re.fullmatch(r"/[a-z]+", span)} <= set(COMMANDS)
    keys = {
        key
        for binding in keymap.bindings_of(classes_with_bindings()).values()
        for key in binding.key.split(",")
    }
    named = {textual_key(span) for span in spans if re.fullmatch(r"ctrl\+\S|F\d+|[a-z]", span)}
    assert named and named <= keys


def test_it_counts_the_recipes() -> None:
    [number] = re.findall(r"(\d+) recipes", README.text)
    assert int(number) == len({*files.available(Path("none")), *MADE_HERE})


def test_every_page_it_does_not_name_is_reached_from_one_that_it_names() -> None:
    named = {Path(address).stem for address in LINKS if address.startswith("moa_tui/guide/")}
    reached = {words for topic in named for words, _ in reading.links(guide.page(topic))}
    assert named | reached >= set(guide.ORDER)
