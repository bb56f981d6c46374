"""`moa-tui batch` as a person runs it: real processes, and models of a server that speaks HTTP."""

from __future__ import annotations

import csv
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.text import Text

from moa_tui.cli import options
from moa_tui.evaluation import benchmarks
from tests.cli.shell import CANARY, call
from tests.e2e.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.shell import Shell
    from tests.model_server import ModelServer, Request
    from tests.warm import WarmStart

if sys.platform == "win32":
    pytest.skip("signals and terminals are those of Unix", allow_module_level=True)

LONG = " ".join(map(str, range(50_000)))
"""An answer that takes seconds, and is no loop."""
MOA = (["told@key=a", "told@key=b"], ["told@key=judge"])


def asked(request: Request) -> tuple[str, str]:
    """Which call a request is: the model's key, and the question."""
    prompt = "\n".join(str(message["content"]) for message in request.body["messages"])
    return request.key, prompt.rpartition("question ")[2].split()[0].rstrip(".")


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """Its models of the mode `told` say who they are and what they were asked."""
    shell.server.responder = lambda request: "{} on {}".format(*asked(request))
    return shell


@pytest.fixture
def here(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands are called in this process, with the shell's config."""
    monkeypatch.setenv("MOA_TUI_CONFIG", shell.environ["MOA_TUI_CONFIG"])
    monkeypatch.setenv("LAB_KEY", CANARY)
    return shell.folder


def questions(folder: Path, number: int, name: str = "in.jsonl") -> str:
    path = folder / name
    path.write_text("".join(f'{{"prompt": "question {place}"}}\n' for place in range(1, number + 1)))
    return str(path)


def answers(shell: Shell, out: str = "out", recipe: str = "test") -> list[Any]:
    text = (shell.folder / out / "outputs" / f"{recipe}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def started(shell: Shell, warm: WarmStart | None) -> Iterator[Callable[..., Terminal]]:
    """Starts a batch on a terminal of its own, which is ended with the test."""
    terminals: list[Terminal] = []

    def start(*arguments: str, size: tuple[int, int] = (80, 24), **environ: str) -> Terminal:
        command = ["moa-tui", "batch", *arguments] if warm else shell.command("batch", *arguments)
        terminals.append(Terminal(command, shell.environ | environ, size, shell.folder, warm))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.__exit__()


# What is answered


@pytest.mark.program
def test_all_prompts_are_answered_with_all_recipes(shell: Shell) -> None:
    moa = shell.recipe(*MOA)
    other = shell.folder / "other.toml"
    other.write_text('name = "other"\n[[layers]]\nagents = [{ model = "lab/told@key=alone" }]\n')
    out = shell.folder / "my answers ä"
    done = shell("batch", questions(shell.folder, 3), "-r", moa, "-r", str(other), "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "test: 3 prompts answered, 9 calls" in done.stderr
    assert "other: 3 prompts answered, 3 calls" in done.stderr
    assert len(shell.server.requests) == 12
    judged = answers(shell, out.name)
    assert [row["prompt"] for row in judged] == ["question 1", "question 2", "question 3"]
    assert "judge on" in json.dumps(judged) and "alone on 3" in json.dumps(answers(shell, out.name, "other"))
    summary = json.loads((out / "summary.json").read_text())["recipes"]
    assert summary["test"]["answered"] == 3 and summary["test"]["calls"] == 9

    # The key is in what was sent, and in none of the files; the files are the owner's.
    assert CANARY in shell.server.requests[0].headers["authorization"]
    for path in out.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.is_dir() or CANARY.encode() not in path.read_bytes(), path


FORMATS = {
    "alpaca_eval.json": (json.dumps([{"instruction": "question 7", "dataset": "own"}]), "output"),
    "question.jsonl": (
        json.dumps({"question_id": 81, "category": "writing", "turns": ["question 7", "question 7"]}) + "\n",
        "choices",
    ),
    "flask.jsonl": (json.dumps({"idx": 3, "instruction": "question 7"}) + "\n", "text"),
    "arena.jsonl": (json.dumps({"uid": "u", "prompt": "question 7", "category": "c"}) + "\n", "messages"),
    "own.jsonl": (json.dumps({"prompt": "question 7", "mine": 5}) + "\n", "mine"),
    "own.csv": ("prompt,mine\nquestion 7,=1+1\n", "'=1+1"),
}


@pytest.mark.program
@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_told_by_itself_and_answered(name: str, shell: Shell) -> None:
    text, wanted = FORMATS[name]
    (shell.folder / name).write_text(text)
    out = shell.folder / "out"
    arguments = ("batch", str(shell.folder / name), "-r", shell.recipe(["told@key=a"]), "-o", str(out))
    done = shell(*arguments)
    assert done.returncode == 0, done.stderr
    (written,) = (out / "outputs").iterdir()
    assert wanted in written.read_text("utf-8") and "a on 7" in written.read_text("utf-8")
    if name.endswith(".csv"):
        (row,) = csv.DictReader(written.read_text("utf-8").splitlines())
        assert row["prompt"] == "question 7" and row["mine"] == "'=1+1"
    # A finished folder asks nobody, and writes the same.
    before, number = written.read_bytes(), len(shell.server.requests)
    assert shell(*arguments).returncode == 0
    assert len(shell.server.requests) == number and written.read_bytes() == before


@pytest.mark.program
def test_without_a_recipe_the_default_is_used_and_said(shell: Shell) -> None:
    recipe = shell.recipe(["told@key=a"])
    config = shell.folder / "config.toml"
    config.write_text(f'default_recipe = "{recipe}"\n{config.read_text()}')
    done = shell("batch", questions(shell.folder, 1), "-o", str(shell.folder / "out"))
    assert done.returncode == 0 and "recipe test" in done.stderr
    assert len(answers(shell)) == 1


@pytest.mark.program
def test_a_prompt_that_fails_has_a_row_that_says_why_and_is_tried_again(shell: Shell) -> None:
    recipe = shell.recipe(["flaky@fail=1,status=400"])
    arguments = ("batch", questions(shell.folder, 2), "-r", recipe, "-o", str(shell.folder / "out"))
    done = shell(*arguments, "--concurrency", "1")
    assert done.returncode == 1
    assert "1 failed (1 bad_request)" in done.stderr
    failed, answered = answers(shell)
    assert "Try again" in json.dumps(failed) and "answer-2" in json.dumps(answered)
    again = shell(*arguments)
    assert again.returncode == 0 and len(shell.server.requests) == 3
    assert "answer-3" in json.dumps(answers(shell)[0]) and "Try again" not in json.dumps(answers(shell))


@pytest.mark.program
def test_the_limit_can_be_lifted_later(shell: Shell) -> None:
    arguments = ("batch", questions(shell.folder, 4), "-r", shell.recipe(["told@key=a"]), "-q")
    arguments += ("-o", str(shell.folder / "out"))
    assert shell(*arguments, "--limit", "2").returncode == 0
    assert len(answers(shell)) == 2
    assert shell(*arguments).returncode == 0
    assert len(answers(shell)) == 4 and len(shell.server.requests) == 4


@pytest.mark.program
def test_model_by_model_changes_the_model_once_a_layer(shell: Shell) -> None:
    done = shell(
        "batch", questions(shell.folder, 5), "-r", shell.recipe(*MOA), "--schedule", "model",
        "-o", str(shell.folder / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    keys = [request.key for request in shell.server.requests]
    assert keys == ["a"] * 5 + ["b"] * 5 + ["judge"] * 5


@pytest.mark.program
def test_a_prompt_of_a_megabyte_is_asked(shell: Shell) -> None:
    path = shell.folder / "in.jsonl"
    path.write_text(json.dumps({"prompt": "word " * 200_000 + "question 7"}) + "\n")
    done = shell("batch", str(path), "-r", shell.recipe(["told@key=a"]), "-o", str(shell.folder / "out"))
    assert done.returncode == 0, done.stderr
    assert "a on 7" in json.dumps(answers(shell))[-200:]


# What ends it, and how it goes on


@pytest.mark.terminal
@pytest.mark.parametrize("seen", [1, 8, 17])
def test_a_batch_that_was_killed_asks_only_what_was_open(
    seen: int, shell: Shell, started: Callable[..., Terminal]
) -> None:
    prompts, recipe = questions(shell.folder, 8), shell.recipe(*MOA)
    arguments = (prompts, "-r", recipe, "-o", "out", "--concurrency", "2")
    # From then on the server answers nothing, so that the kill meets open calls.
    shell.server.responder = lambda request: (
        "{} on {}".format(*asked(request)) if request.number < seen else LONG
    )
    terminal = started(*arguments)
    shell.server.wait_for(lambda requests: requests[seen - 1].sent_chunks > 5, timeout=30)
    os.killpg(terminal.process.pid, signal.SIGKILL)
    terminal.process.wait(timeout=10)
    shell.server.wait_for(lambda requests: all(request.ended for request in requests))
    lines = (shell.folder / "out" / "calls.jsonl").read_text().splitlines(keepends=True)
    kept = [json.loads(line) for line in lines if line.endswith("\n")]

    shell.server.responder = lambda request: "{} on {}".format(*asked(request))
    done = shell("batch", prompts, "-r", recipe, "-o", str(shell.folder / "out"))
    assert done.returncode == 0, done.stderr
    assert (shell.folder / "out" / "calls.jsonl").read_text().startswith("".join(lines[: len(kept)]))
    numbers = Counter(asked(request) for request in shell.server.requests)
    twice = {key for key, number in numbers.items() if number > 1}
    assert len(numbers) == 24 and len(twice) <= 2 and set(numbers.values()) <= {1, 2}
    names = {"1.1": "a", "1.2": "b", "2.1": "judge"}
    assert len(kept) + len(twice) >= seen - 1 and not twice & {
        (names[f"{entry['layer']}.{entry['index']}"], entry["prompt"]) for entry in kept
    }
    whole = shell("batch", prompts, "-r", recipe, "-o", str(shell.folder / "whole"))
    assert whole.returncode == 0
    assert answers(shell) == answers(shell, "whole")


@pytest.mark.terminal
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_and_the_same_command_goes_on(
    number: int, code: int, shell: Shell, started: Callable[..., Terminal]
) -> None:
    prompts, recipe = questions(shell.folder, 5), shell.recipe(["told@key=a"])
    shell.server.responder = lambda request: "short" if request.number < 3 else LONG
    terminal = started(prompts, "-r", recipe, "-o", "out", "--concurrency", "1")
    shell.server.wait_for(lambda requests: requests[2].sent_chunks > 5, timeout=30)
    os.kill(terminal.process.pid, number)
    assert terminal.process.wait(timeout=15) == code
    screen = terminal.wait_for("3 not reached")
    assert "stopped by hand; the same command goes on" in " ".join(screen.split())
    assert len(answers(shell)) == 2
    shell.server.responder = lambda request: "short"
    done = shell("batch", prompts, "-r", recipe, "-o", str(shell.folder / "out"))
    assert done.returncode == 0 and "2 were there before" in done.stderr
    assert len(answers(shell)) == 5 and len(shell.server.requests) == 6


@pytest.mark.program
def test_a_full_disk_keeps_the_finished_calls_and_can_be_gone_on_from(shell: Shell) -> None:
    arguments = ("batch", questions(shell.folder, 30), "-r", shell.recipe(["ok@n=60"]))
    arguments += ("-o", str(shell.folder / "out"), "--concurrency", "2")
    command = shell.command(*arguments)
    done = subprocess.run(
        command,
        env=shell.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.returncode in (1, 2), done.stderr
    assert "calls.jsonl cannot be written" in done.stderr and "goes on from here" in done.stderr
    assert "Traceback" not in done.stderr
    kept = [json.loads(line) for line in (shell.folder / "out" / "calls.jsonl").read_text().splitlines()]
    asked_before = len(shell.server.requests)
    assert 0 < len(kept) < 30 and asked_before - len(kept) <= 3
    again = shell(*arguments)
    assert again.returncode == 0, again.stderr
    assert len(shell.server.requests) - asked_before == 30 - len(kept)
    assert len(answers(shell)) == 30


@pytest.mark.program
def test_an_input_that_is_gone_or_changed_meanwhile_changes_nothing(shell: Shell) -> None:
    prompts = shell.folder / questions(shell.folder, 3)

    def respond(request: Request) -> str:
        prompts.write_text('{"prompt": "question 99"}\n') if request.number == 1 else prompts.unlink(
            missing_ok=True
        )
        return "{} on {}".format(*asked(request))

    shell.server.responder = respond
    recipe, out = shell.recipe(["told@key=a"]), shell.folder / "out"
    done = shell("batch", str(prompts), "-r", recipe, "-o", str(out), "--concurrency", "1")
    assert done.returncode == 0, done.stderr
    assert [row["moa_answer"] for row in answers(shell)] == ["a on 1", "a on 2", "a on 3"]

    questions(shell.folder, 3)
    (out / "input.jsonl").write_text('{"prompt": "question 99"}\n')
    done = shell("batch", str(prompts), "-r", recipe, "-o", str(out))
    assert done.returncode == 2 and "is not the input" in done.stderr
    assert len(shell.server.requests) == 3


# What is said before any call


def refused(*arguments: str) -> str:
    done = call("batch", *arguments)
    assert done.exit_code == 2, done.output
    return done.output


def test_the_help_names_every_option() -> None:
    done = call("batch", "--help")
    assert done.exit_code == 0
    for option in (
        "-r",
        "-o",
        "--format",
        "--limit",
        "--concurrency",
        "--schedule",
        "--max-cost",
        "--dry-run",
    ):
        assert option in done.output
    assert "batch [OPTIONS] INPUT" in refused()


def test_a_dry_run_asks_nobody_and_makes_no_folder(here: Path, shell: Shell) -> None:
    out = here / "out"
    done = call("batch", questions(here, 10), "-r", shell.recipe(*MOA), "-o", str(out), "--dry-run")
    assert done.exit_code == 0, done.output
    assert "10 prompts, 30 calls" in done.output
    assert not out.exists() and not shell.server.requests


def test_a_missing_key_is_said_before_the_folder_is_made(
    here: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_KEY")
    done = call("batch", questions(here, 1), "-r", shell.recipe(*MOA), "-o", str(here / "out"))
    assert done.exit_code in (1, 2) and "LAB_KEY" in done.output
    assert not (here / "out").exists() and not shell.server.requests


def test_a_server_that_is_not_set_up_is_said_before_the_folder_is_made(
    here: Path, server: ModelServer
) -> None:
    recipe = here / "away.toml"
    agent = f'{{ model = "openai/ok", api_base = "{server.url.replace("127.0.0.1", "models.example")}" }}'
    recipe.write_text(f'name = "away"\n[[layers]]\nagents = [{agent}]\n')
    done = call(
        "batch", questions(here, 1), "-r", str(recipe), "-o", str(here / "out"), OPENAI_API_KEY="sk-1"
    )
    assert done.exit_code in (1, 2) and "models.example" in done.output
    assert "--trust-recipe" in done.output
    assert not (here / "out").exists()


def test_a_folder_that_cannot_be_written_is_said_before_any_call(here: Path, shell: Shell) -> None:
    (here / "file").write_text("")
    recipe = shell.recipe(*MOA)
    for out in (here / "file", here / "file" / "below", here / ("n" * 300)):
        assert "cannot be" in refused(questions(here, 1), "-r", recipe, "-o", str(out))
    full = here / "full"
    full.mkdir()
    (full / "thesis.doc").write_text("mine")
    assert "not empty" in refused(questions(here, 1), "-r", recipe, "-o", str(full))
    assert [path.name for path in full.iterdir()] == ["thesis.doc"]
    assert not shell.server.requests


@pytest.mark.program
def test_a_folder_of_something_else_is_refused_with_the_difference(here: Path, shell: Shell) -> None:
    prompts, out = questions(here, 2), str(here / "out")
    assert shell("batch", prompts, "-r", shell.recipe(*MOA), "-o", out).returncode == 0
    words = refused(prompts, "-r", shell.recipe(["told@key=a", "told@key=b"], ["told@key=c"]), "-o", out)
    assert "told@key=judge" in words and "told@key=c" in words and "another folder with -o" in words
    words = refused(questions(here, 3), "-r", shell.recipe(*MOA), "-o", out)
    assert "input sha256" in words
    (here / "in.jsonl").unlink()
    assert "in.jsonl" in refused(prompts, "-r", shell.recipe(*MOA), "-o", out)
    assert len(answers(shell)) == 2


@pytest.mark.terminal
def test_two_at_once_cannot_have_one_folder(shell: Shell, started: Callable[..., Terminal]) -> None:
    prompts, recipe = questions(shell.folder, 1), shell.recipe(["hang@n=1"])
    started(prompts, "-r", recipe, "-o", "out")
    shell.server.wait_for(lambda requests: requests[0].sent_chunks, timeout=30)
    done = shell("batch", prompts, "-r", recipe, "-o", str(shell.folder / "out"))
    assert done.returncode == 2 and "another moa-tui is at work in" in done.stderr
    assert len(shell.server.requests) == 1


def test_two_recipes_of_one_name_are_refused(here: Path, shell: Shell) -> None:
    first = shell.recipe(*MOA)
    second = here / "second.toml"
    second.write_text((here / "test.toml").read_text())
    words = refused(questions(here, 1), "-r", first, "-r", str(second), "-o", str(here / "out"))
    assert "two of the recipes are called test" in words


@pytest.mark.parametrize("name", ["test!", "TEST"])
def test_two_recipes_whose_answers_would_have_one_file_are_refused(
    name: str, here: Path, shell: Shell
) -> None:
    other = here / "other.toml"
    other.write_text(f'name = "{name}"\n[[layers]]\nagents = [{{ model = "lab/ok" }}]\n')
    words = refused(questions(here, 1), "-r", shell.recipe(["ok"]), "-r", str(other), "-o", str(here / "o"))
    assert f'the answers of "test" and of "{name}" would have one file' in words
    assert not (here / "o").exists()


def test_a_cap_that_caps_nothing_is_refused(here: Path, shell: Shell) -> None:
    arguments = (questions(here, 1), "-r", shell.recipe(["ok"]), "-o", str(here / "o"))
    assert "no price" in refused(*arguments, "--max-cost", "nan")
    assert not (here / "o").exists()


@pytest.mark.terminal
def test_an_input_that_is_changed_meanwhile_changes_nothing(
    shell: Shell, started: Callable[..., Terminal]
) -> None:
    path = questions(shell.folder, 3)
    shell.server.responder = lambda request: (
        Path(path).write_text('{"other": 1}\n'),
        "{} on {}".format(*asked(request)),
    )[1]
    terminal = started(path, "-r", shell.recipe(["told@key=a"]), "-o", "out", "--concurrency", "1")
    assert terminal.process.wait(timeout=30) == 0
    assert ["a on" in row["moa_answer"] for row in answers(shell)] == [True] * 3


def test_bad_rows_are_named_and_can_be_left_out(here: Path, shell: Shell) -> None:
    path = here / "in.jsonl"
    path.write_text('{"prompt": "question 1"}\n{"prompt": \n{"prompt": "  "}\n')
    recipe = shell.recipe(*MOA)
    assert "line 2" in refused(str(path), "-r", recipe, "-o", str(here / "out"))
    done = call("batch", str(path), "-r", recipe, "-o", str(here / "out"), "--skip-bad", "--dry-run")
    assert done.exit_code == 0 and "line 2" in done.output and "1 prompt, 3 calls" in done.output


# What is shown


@pytest.mark.program
def test_quiet_shows_how_it_ended_alone(shell: Shell) -> None:
    arguments = ("batch", questions(shell.folder, 2), "-r", shell.recipe(["told@key=a"]))
    loud = shell(*arguments, "-o", str(shell.folder / "one"))
    assert loud.stderr.splitlines()[0].startswith("2 of 2 prompts · 2 calls")
    quiet = shell(*arguments, "-o", str(shell.folder / "two"), "-q")
    assert loud.stderr.splitlines()[1:-1] == quiet.stderr.splitlines()[:-1]
    assert "\x1b" not in loud.stderr


@pytest.mark.program
@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2>&1 | true"])
def test_a_closed_or_full_stderr_costs_no_answer(where: str, shell: Shell) -> None:
    prompts, recipe, out = questions(shell.folder, 3), shell.recipe(["told@key=a"]), shell.folder / "out"
    words = shell.command("batch", prompts, "-r", recipe, "-o", str(out))
    command = " ".join(map(shlex.quote, words))
    subprocess.run(["sh", "-c", f"{command} {where}"], env=shell.environ, timeout=60, check=False)
    assert len(answers(shell)) == 3


@pytest.mark.terminal
@pytest.mark.parametrize("columns", [80, 40])
def test_the_bar_stays_in_its_lines(columns: int, shell: Shell, started: Callable[..., Terminal]) -> None:
    recipe = shell.recipe(["ok@n=10,ttft=0.3"])
    terminal = started(
        questions(shell.folder, 8), "-r", recipe, "-o", "out", "--concurrency", "2", size=(columns, 24),
        NO_COLOR="1",
    )  # fmt: skip
    assert terminal.process.wait(timeout=30) == 0
    terminal.wait_for(lambda _: "answers: out" in terminal.written)
    assert "of 8" in terminal.written and "\x1b[3" not in terminal.written, "no colour"
    drawn = [line for line in terminal.written.replace("\r", "\n").split("\n") if "of 8" in line]
    assert len(drawn) > 1
    for line in drawn:
        assert len(plain(line)) < columns, line
    assert terminal.written.count("\x1b[?25l") == terminal.written.count("\x1b[?25h")


def plain(line: str) -> str:
    """A line without what moves and colours."""
    return Text.from_ansi(line).plain


def test_the_formats_that_can_be_named_are_those_there_are() -> None:
    assert (benchmarks.AUTO, *benchmarks.FORMATS) == options.FORMATS
