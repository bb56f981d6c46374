"""What is typed while the program starts: it reaches the prompt, and Enter sends it once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.terminal import Terminal, in_order, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_server import ModelServer


def test_what_is_typed_as_the_program_starts_stands_in_the_prompt(
    program: str, environ: dict[str, str]
) -> None:
    with Terminal([program, "-r", "demo"], environ) as terminal:
        terminal.send("what is a quorum")
        terminal.wait_for("┃ what is a quorum")
        terminal.send(" here")
        terminal.wait_for("┃ what is a quorum here")


def test_enter_before_the_first_frame_sends_once(
    lab: ModelServer, program: str, environ: dict[str, str], tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path / "quick.toml", ["lab/ok@n=1"], pace=None)
    with Terminal([program, "-r", recipe], environ) as terminal:
        terminal.send("what is a quorum?\r")
        lab.wait_for(lambda requests: len(requests) >= 1, 30)
        terminal.send("and a tie?\r")
        requests = lab.wait_for(lambda requests: len(requests) >= 2, 30)
    prompts = [request.body["messages"][-1]["content"] for request in requests]
    assert prompts == ["what is a quorum?", "and a tie?"]


def test_lines_that_come_before_the_first_frame_wait_in_the_prompt(
    program: str, environ: dict[str, str]
) -> None:
    with Terminal([program, "-r", "demo"], environ) as terminal:
        terminal.send("first line\rsecond line")
        assert in_order(terminal.wait_for("┃ second line"), "┃ first line", "┃ second line")


def test_a_paste_before_the_first_frame_stands_in_the_prompt(program: str, environ: dict[str, str]) -> None:
    with Terminal([program, "-r", "demo"], environ) as terminal:
        terminal.paste("a pasted\rtext")
        assert in_order(terminal.wait_for("┃ text"), "┃ a pasted", "┃ text")
