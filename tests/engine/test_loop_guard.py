"""A model in a loop is told from whatever else repeats itself."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from moa_tui.engine.events import CallEnded
from moa_tui.engine.loop_guard import LoopGuard
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId, Chunk, Finish
from tests.fakes import FakeModels
from tests.helpers import recipe

PARAGRAPH = (
    "The moa was a large bird that could not fly. It lived in New Zealand, and people hunted it until none "
    "was left. It had no wings at all, which is rare among birds. "
)
STEP = "Wait, let me check that once more. The total is 41 plus 1, so it must be 42. "


def found(text: str, size: int = 5) -> int:
    """The characters after which a loop is found in `text`, given in pieces of `size`; 0 for none."""
    guard = LoopGuard()
    for start in range(0, len(text), size):
        if guard.feed(text[start : start + size]):
            return start + size
    return 0


LOOPS = {
    "line": "I am a language model.\n" * 1_000,
    "sentence": "I cannot say that. " * 1_000,
    "paragraph": PARAGRAPH * 100,
    "reasoning": STEP * 200,
    "block": "".join(f"Point {n}: {PARAGRAPH}\n" for n in range(9)) * 8,
    "numbered": "".join(f"{n}. Eat more fruit and vegetables.\n" for n in range(1, 500)),
    "word": " the" * 4_000,
    "mark": "!" * 20_000,
    "zeros": "0" * 20_000,
    "code": "    x = x + 1\n" * 1_000,
    "rows": "| a | b | c |\n| 1 | 2 | 3 |\n" * 400,
    "chinese": "我是一个语言模型。" * 600,
    "russian": "Я языковая модель. " * 500,
    "emoji": "🎉🎉 yes " * 1_500,
}


@pytest.mark.parametrize("size", [1, 4, 700])
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_is_found_before_a_usual_token_limit(name: str, size: int) -> None:
    before = "A moa is a bird. I will tell you what I know of it.\n\n"
    after = found(before + LOOPS[name], size)
    assert after
    assert len((before + LOOPS[name])[:after].encode()) <= 10_500 + 2 * size * 4 or name == "block"


LONG_LOOPS = {
    "growing number": "".join(
        f"I have now checked {n} cases, and all of them are fine.\n" for n in range(1_500)
    ),
    "steps": "".join(f"**Step {n}:** check the value once more.\n\n" for n in range(2_000)),
    "Chinese steps": "".join(f"第{n}步：检查结果是否正确。\n" for n in range(3_000)),
    "rows": "".join(f"| {n} | Item | Description of the item |\n" for n in range(2_000)),
    "two pages": "".join(f"Point {n}: {PARAGRAPH}\n" for n in range(27)) * 18,
}


@pytest.mark.parametrize("name", LONG_LOOPS)
def test_what_repeats_itself_but_for_its_numbers_is_stopped_after_ten_thousand_tokens(name: str) -> None:
    after = found(LONG_LOOPS[name])
    assert after
    assert 40_000 <= len(LONG_LOOPS[name][:after].encode()) <= 90_000


def _square(side: int) -> str:
    return "\n".join("#" * side for _ in range(side // 2))


RANDOM = random.Random(7)
NO_LOOPS = {
    "list": "\n".join(f"- bird {n * 37 % 1_000} is one of them" for n in range(300)),
    "numbered list": "\n".join(f"{n}. The square of {n} is {n * n}." for n in range(1, 400)),
    "table": "| n | n² |\n|---|---|\n" + "".join(f"| {n} | {n * n} |\n" for n in range(700)),
    "wide table": "| " + "-" * 900 + " |\n" + "|" + " --- |" * 200 + "\n",
    "table of zeros": "".join(f"{n},0,0,0,0,0,0,0\n" for n in range(900)),
    "matrix": "\n".join(" ".join("1" if i == j else "0" for j in range(60)) for i in range(60)),
    "json": "[" + ",\n".join(f'{{"id": {n}, "name": "user{n}", "active": true}}' for n in range(400)) + "]",
    "code": "".join(
        f"    def test_{n}(self):\n        self.assertEqual(f({n}), {n * 3})\n\n" for n in range(300)
    ),
    "hex dump": "".join(f"{n:08x}  00 00 00 00 00 00 00 00\n" for n in range(0, 8_000, 16)),
    "bottles": "".join(
        f"{n} bottles of beer on the wall, {n} bottles of beer.\nTake one down and pass it around, {n - 1} "
        "bottles of beer on the wall.\n\n"
        for n in range(99, 0, -1)
    ),
    "song": "".join(
        f"Verse {n}: {word} goes up and down the road\nLa la la la la, la la la la\n" * 2
        + "Hey, hey, hey!\n" * 8
        for n, word in enumerate(PARAGRAPH.split())
    ),
    "refrain": "".join(
        f"{word} in the morning\n" + "Row, row, row your boat\n" * 4 for word in PARAGRAPH.split()
    ),
    "laughter": "ha " * 800 + "that was funny",
    "lines to learn": "I will not talk in class.\n" * 100,
    "long lines to learn": "I must not talk in class while the teacher is speaking to all of us.\n" * 100,
    "numbered lines": "".join(
        f"{n}. I must not talk in class while she is speaking.\n" for n in range(1, 101)
    ),
    "a word a thousand times": "hello " * 1_000,
    "image of zeros": "[\n" + ",\n".join(f"  {[0] * 50}" for _ in range(50)) + "\n]",
    "equal cells": "".join(f"| feature {n} | yes | yes | yes |\n" for n in range(200)),
    "inserts": "".join(
        f"INSERT INTO users (id, name, active) VALUES ({n}, 'user{n}', TRUE);\n" for n in range(400)
    ),
    "diff": "".join(f"@@ -{n},3 +{n},3 @@\n-    foo({n})\n+    bar({n})\n     return\n" for n in range(200)),
    "year of a plan": "".join(f"- Day {n}: push-ups and sit-ups, then rest\n" for n in range(1, 366)),
    "separators": ("=" * 80 + "\n" + PARAGRAPH + "\n") * 3 + "-" * 400,
    "zeros": "10^1000 is 1" + "0" * 1_000 + ", and 10^2000 is 1" + "0" * 2_000 + ".",
    "pi": "3." + "".join(RANDOM.choice("0123456789") for _ in range(20_000)),
    "thirds": "1/3 = 0." + "3" * 3_000 + "…",
    "square": _square(70),
    "chess": ("♜♞♝♛♚♝♞♜\n" + "♟" * 8 + "\n" + ("⬜⬛" * 4 + "\n" + "⬛⬜" * 4 + "\n") * 2) * 8,
    "spaces": "\n".join(" " * (n % 60) + "*" for n in range(240)),
    "base64": "".join(RANDOM.choice("ABCDEFabcdef0123456789+/") for _ in range(20_000)),
    "svg": "".join(f'<rect x="{n}" y="{n % 7}" width="10" height="10"/>\n' for n in range(400)),
    "dna": "".join(RANDOM.choice("ACGT") for _ in range(20_000)),
    "paragraph three times": PARAGRAPH * 3,
    "zero table": "static const char t[256] = {\n" + ("    " + "0x00, " * 8 + "\n") * 32 + "};",
    "empty rows": "| name | date |\n" + "|      |      |\n" * 120,
    "check boxes": "- [ ] \n" * 200,
}


@pytest.mark.parametrize("name", NO_LOOPS)
def test_what_repeats_itself_on_purpose_is_no_loop(name: str) -> None:
    assert not found(NO_LOOPS[name])
    assert not found(NO_LOOPS[name], 1_000)


def test_the_projects_own_texts_are_no_loops() -> None:
    folder = Path(__file__).parents[2]
    for path in [
        *folder.glob("*.md"),
        *folder.glob("moa_tui/engine/*.py"),
        *folder.glob("moa_tui/**/*.toml"),
    ]:
        assert not found(path.read_text("utf-8"), 40), path


def test_a_text_that_a_token_limit_cut_in_a_loop_needs_less() -> None:
    guard = LoopGuard()
    assert not guard.feed(PARAGRAPH + "I am a language model.\n" * 100)
    assert not guard.block()
    assert guard.block(was_cut=True)
    guard = LoopGuard()
    guard.feed(NO_LOOPS["song"])
    assert not guard.block(was_cut=True)


def test_a_piece_costs_the_same_however_long_the_text_is() -> None:
    began = time.process_time()
    assert not found(NO_LOOPS["pi"] * 10, 4)
    for hostile in ("ab" * 300 + "c", "a" * 47 + "b"):
        text = "".join(f"{hostile}{n}" for n in range(2_000))
        found(text, 4)
    assert time.process_time() - began < 10


async def test_a_call_in_a_loop_is_stopped_said_and_no_reference() -> None:
    piece = "I am a language model.\n"
    models = FakeModels(a=[[piece] * 5_000], b=[["Paris."]])
    events: list[object] = []
    layer = {"agents": ["a", "b"], "use_partial": True}
    outcome = await run(recipe(layer, ["judge"]), [{"role": "user", "content": "?"}], models, events.append)
    reply = outcome.replies[CallId(1, 1)]
    assert (reply.status, reply.error and reply.error.kind) == ("partial", "loop")
    assert reply.error is not None
    assert "23 characters" in reply.error.message
    assert reply.text.startswith(piece)
    assert len(reply.text) < 10_000
    assert models.open == 0
    assert outcome.status == "done"
    assert piece not in str(models.asked["judge"])
    assert any(isinstance(event, CallEnded) and event.reply is reply for event in events)


async def test_a_loop_in_the_reasoning_is_stopped_too_and_a_recipe_may_allow_it() -> None:
    models = FakeModels(a=[[*[Chunk("reasoning", STEP)] * 500, "Paris."]])
    question = [{"role": "user", "content": "?"}]
    outcome = await run(recipe(["a"]), question, models, lambda _: None)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.kind) == ("failed", "loop")
    outcome = await run(recipe(["a"], loop_guard=False), question, models, lambda _: None)
    assert (outcome.status, outcome.answer) == ("done", "Paris.")


async def test_a_loop_that_the_token_limit_ended_is_no_answer_to_pass_on() -> None:
    cut = ["I am a language model.\n"] * 150
    models = FakeModels(a=[[*cut, Finish("length")]], b=[["Paris."]])
    outcome = await run(
        recipe(["a", "b"], ["judge"]), [{"role": "user", "content": "?"}], models, lambda _: None
    )
    reply = outcome.replies[CallId(1, 1)]
    assert reply.error is not None
    assert reply.error.kind == "loop"
    assert "language model" not in str(models.asked["judge"])
