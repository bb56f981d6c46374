"""`moa-tui ask` as a person and a script use it: in a process of its own, over real HTTP."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
import pytest

from moa_tui.cli.ask import ask
from moa_tui.engine.agent import EFFORTS
from tests.cli.shell import CANARY, Shell

if sys.platform != "win32":
    import pty

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.program


def test_the_answer_and_nothing_else_is_on_stdout(shell: Shell) -> None:
    done = shell("ask", "-r", shell.recipe(["ok@key=a", "ok@key=b"], ["ok@n=2,key=final"]), "hello")
    assert done.returncode == 0
    assert re.fullmatch(r"answer-3-final each model ?\n", done.stdout)
    assert "L1.1 ok@key=a: done" in done.stderr
    assert "2 of 2 used · 3 of 3 calls" in done.stderr


def test_quiet_is_quiet(shell: Shell) -> None:
    done = shell("ask", "-q", "-r", shell.recipe(["ok"]), "hello")
    assert done.stderr == ""
    assert done.stdout.startswith("answer-1-ok")


def test_prompt_pipe_and_files_become_one_prompt(shell: Shell) -> None:
    notes = shell.folder / "notes.md"
    notes.write_text("# Notes\n```python\nx = 1\n```\n", encoding="utf-8")
    done = shell(
        "ask", "-q", "-r", shell.recipe(["ok"]), "-f", str(notes), "Sum", "this", "up:", piped="piped text\n"
    )
    assert done.returncode == 0, done.stderr
    prompt = shell.last_prompt()
    assert prompt.startswith("Sum this up:\npiped text\n\nFile `notes.md`:\n\n````\n# Notes\n```python")
    assert prompt.endswith("```\n````")


def test_a_system_prompt_reaches_every_agent(shell: Shell) -> None:
    shell("ask", "-q", "-r", shell.recipe(["ok"], ["ok"]), "--system", "Be brief.", "hi")
    for request in shell.server.requests:
        assert request.body["messages"][0]["content"].startswith("Be brief.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to ask"),
        (["   "], "nothing to ask"),
        (["-r", "nothing", "hi"], "no recipe is called"),
        (["-f", "/nonexistent/file", "hi"], "cannot be read"),
        (["-f", "/", "hi"], "is a directory"),
        (["--output", "xml", "hi"], "xml"),
        (["--max-cost", "0", "hi"], "max-cost"),
    ],
)
def test_wrong_usage_is_told_with_exit_code_2(arguments: list[str], said: str, shell: Shell) -> None:
    done = shell("ask", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "content", [b"\x00\x01binary", b"\xff\xfe\xfa", b"x" * 5_000_001], ids=["nul", "not-utf8", "huge"]
)
def test_a_file_that_is_no_text_is_refused(content: bytes, shell: Shell) -> None:
    path = shell.folder / "file.bin"
    path.write_bytes(content)
    done = shell("ask", "-r", shell.recipe(["ok"]), "-f", str(path), "hi")
    assert done.returncode == 2
    assert "file.bin" in done.stderr
    assert not shell.server.requests


def test_a_broken_config_names_file_line_and_key(shell: Shell) -> None:
    (shell.folder / "config.toml").write_text('defualt_recipe = "demo"\n')
    done = shell("ask", "hi")
    assert done.returncode == 2
    assert 'config.toml:1: defualt_recipe: unknown key; did you mean "default_recipe"?' in done.stderr


def test_a_missing_key_is_told_before_any_call(shell: Shell) -> None:
    del shell.environ["LAB_KEY"]
    done = shell("ask", "-r", shell.recipe(["ok"], ["ok"]), "hi")
    assert done.returncode == 1
    assert "LAB_KEY" in done.stderr
    assert not shell.server.requests


def test_json_is_one_document_with_everything(shell: Shell) -> None:
    recipe = shell.recipe(["ok@key=a", "http401", "reasoning@key=r"], ["ok@key=final"])
    done = shell("ask", "-r", recipe, "--output", "json", "hello")
    document = json.loads(done.stdout)
    assert done.returncode == 0
    expected = {"schema", "prompt", "recipe", "status", "answer", "layers", "usage", "cost", "seconds",
                "critical_path_seconds", "first_token_seconds", "metrics"}  # fmt: skip
    assert expected <= document.keys()
    assert (document["schema"], document["prompt"], document["recipe"]) == (1, "hello", "test")
    assert document["status"] == "done"
    assert document["answer"].startswith("answer-4-final")
    first, second = document["layers"]
    assert (first["task"], second["task"]) == ("answer", "synthesize")
    assert [(c["layer"], c["index"]) for c in first["calls"]] == [(1, 1), (1, 2), (1, 3)]
    good, bad, thinker = first["calls"]
    assert {"layer", "index", "agent", "model", "status", "text", "reasoning", "error", "attempts", "usage",
            "cost", "first_token_seconds", "seconds", "messages"} <= good.keys()  # fmt: skip
    assert good["usage"] == {
        "prompt_tokens": good["usage"]["prompt_tokens"],
        "completion_tokens": 21,
        "estimated": False,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
    }
    assert good["messages"] == [{"role": "user", "content": "hello"}]
    assert bad["error"]["kind"] == "auth"
    assert bad["error"]["status_code"] == 401
    assert thinker["reasoning"]
    assert (document["cost"], good["local"], bad["local"]) == (0.0, True, True)
    assert 0 < document["critical_path_seconds"] <= document["seconds"]
    assert document["metrics"]["overlap"][0]["ngram_share"] > 0


def test_events_are_one_json_line_each_as_they_happen(shell: Shell) -> None:
    done = shell(
        "ask", "-q", "-r", shell.recipe(["ok@n=2"], ["ok@n=2,key=final"]), "--output", "events", "hi"
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "call_started"
    assert kinds[-1] == "run_ended"
    assert kinds.count("call_ended") == 2
    text = "".join(e["text"] for e in events if e["event"] == "delta" and e["layer"] == 2)
    assert text == events[-1]["answer"] == events[-2]["text"]


def test_the_answer_streams_as_it_is_written(shell: Shell) -> None:
    recipe = shell.recipe(["ok@n=100,tps=50,key=slow"])
    with subprocess.Popen(
        shell.command("ask", "-q", "-r", recipe, "hi"), env=shell.environ, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        first = process.stdout.read(6)
        assert first == b"answer"
        assert process.poll() is None, "the first words come long before the last"
        process.stdout.read()
    assert process.returncode == 0


def test_reasoning_told_late_is_followed_by_the_answer_alone_on_lines_of_its_own(shell: Shell) -> None:
    shell.server.script = {"mind": ["Let me think.", "\n</think>\n\n", "Par", "is."]}
    recipe = shell.recipe(["scripted@key=mind"])
    done = shell("ask", "-q", "-r", recipe, "hi")
    assert (done.stdout, done.returncode) == ("Let me think.\nParis.\n", 0), "what was written stays"
    assert shell("ask", "-q", "--no-stream", "-r", recipe, "hi").stdout == "Paris.\n"


def test_without_streaming_the_answer_comes_whole(shell: Shell) -> None:
    done = shell("ask", "-q", "--no-stream", "-r", shell.recipe(["ok@n=3"]), "hi")
    assert done.stdout.startswith("answer-1-ok each")
    assert done.stdout.endswith("\n")


RANKED = """
name = "ranked"
[defaults]
extra = { tokens_per_second = 100000 }
[[layers]]
agents = [{ model = "demo/terse" }, { model = "demo/coder" }]
[[layers]]
"""


@pytest.mark.parametrize(
    ("last", "note"),
    [
        ('task = "rank"\nagents = [{ model = "demo/sceptic" }]', "chosen: L1."),
        ('task = "vote"', "elected: L1."),
    ],
    ids=["rank", "vote"],
)
def test_an_answer_that_is_chosen_is_printed_once_and_what_chose_it_is_not(
    last: str, note: str, shell: Shell
) -> None:
    path = shell.folder / "ranked.toml"
    path.write_text(RANKED + last)
    done = shell("ask", "--recipe", str(path), "--output", "text", "What is a moa?")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("no language model was asked") == 1
    assert "RANKING" not in done.stdout
    assert note in done.stderr


def test_earlier_answers_are_shown_on_stderr_when_asked_for(shell: Shell) -> None:
    done = shell("ask", "--show-proposers", "-r", shell.recipe(["ok@key=a"], ["ok@key=final"]), "hi")
    assert "answer-1-a" in done.stderr
    assert "answer-1-a" not in done.stdout


def test_a_failed_run_tells_each_agents_error_and_exits_1(shell: Shell) -> None:
    done = shell("ask", "-r", shell.recipe(["http401", "http404"], ["ok"]), "hi")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "http401: Incorrect API key" in done.stderr
    assert "http404: " in done.stderr


def test_an_answer_that_is_cut_off_is_printed_and_exits_1(shell: Shell) -> None:
    done = shell("ask", "-r", shell.recipe(["reset@n=5"]), "hi")
    assert done.returncode == 1
    assert done.stdout.startswith("answer-1-reset")
    assert "the answer is cut off: L1.1 reset@n=5 (lab/reset@n=5): the connection was lost" in done.stderr


def test_an_answer_cut_at_its_token_limit_is_printed_and_exits_1(shell: Shell) -> None:
    done = shell("ask", "-r", shell.recipe(["length"]), "hi")
    assert done.returncode == 1
    assert done.stdout.startswith("answer-1-length")
    assert (
        "the answer is cut off: L1.1 length (lab/length): answer cut at the model's own limit" in done.stderr
    )


def wait_for_text(process: subprocess.Popen[bytes], text: bytes) -> bytes:
    assert process.stdout is not None
    seen = b""
    while text not in seen:
        byte = process.stdout.read(1)
        assert byte, seen
        seen += byte
    return seen


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process on Windows")
@pytest.mark.parametrize("output", ["text", "json"])
def test_ctrl_c_prints_what_was_received_and_exits_130(output: str, shell: Shell) -> None:
    recipe = shell.recipe(["endless@tps=100"])
    with subprocess.Popen(
        shell.command("ask", "-r", recipe, "--output", output, "hi"),
        env=shell.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        # Sent is not yet received: a second's worth of chunks lets some arrive.
        shell.server.wait_for(lambda requests: requests[0].sent_chunks > 100, timeout=30)
        if output == "text":
            wait_for_text(process, b"answer-1-endless")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in err
    if output == "json":
        document = json.loads(out)
        assert document["status"] == "stopped"
        assert document["answer"].startswith("answer-1-endless")
    else:
        assert out.endswith(b"\n"), "the line is ended"
    shell.server.wait_for(lambda requests: requests[0].disconnected)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process on Windows")
def test_ctrl_c_while_litellm_is_loading_ends_at_once(shell: Shell) -> None:
    """Without -r the choice of the recipe is told just before litellm is loaded, which takes seconds."""
    recipe = shell.recipe(["ok"])
    (shell.folder / "config.toml").write_text(
        f'default_recipe = "{recipe}"\n[endpoints.lab]\nbase_url = "{shell.server.url}"\n'
    )
    with subprocess.Popen(
        shell.command("ask", "hi"), env=shell.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert b"default_recipe" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert not shell.server.requests


def on_a_terminal(
    shell: Shell, line: str, meanwhile: Callable[[int], None] = lambda pid: None
) -> tuple[str, int]:
    """What a shell command line writes to a terminal of 80x24, and its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - the child becomes the shell
        os.environ.update(shell.environ, TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.execvp("sh", ["sh", "-c", line])
    other = threading.Thread(target=meanwhile, args=(pid,))
    other.start()
    written = b""
    with suppress(OSError):  # Linux's way to say that the other side is closed
        while data := os.read(terminal, 65536):
            written += data
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    other.join()
    return written.decode(), os.waitstatus_to_exitcode(status)


unix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pytest.mark.terminal
@unix_only
@pytest.mark.parametrize("behind", ["", " | cat", " --output json", " --no-stream", " 2>&1"])
def test_on_a_terminal_the_table_never_draws_over_the_answer(behind: str, shell: Shell) -> None:
    recipe = shell.recipe(["ok@n=20,tps=60,key=a", "http401"], ["ok@n=20,tps=60,key=final"])
    command = " ".join(map(shlex.quote, shell.command("ask", "hi", "-r", recipe)))
    screen, code = on_a_terminal(shell, command + behind)
    assert code == 0
    answer = screen.index("answer-3-final") if "json" not in behind else screen.index('{"schema"')
    table, after = screen[:answer], screen[answer:]
    assert "● writing" in table
    assert "✗ failed" in table
    assert not re.search("\x1b\\[[0-9;]*[AKJH]", after), (
        "nothing moves up or erases once the answer has begun"
    )
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h"), "the cursor is shown again"
    assert "1 of 2 used" in after


@pytest.mark.terminal
@unix_only
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_being_told_to_end_leaves_the_terminal_sane_and_says_what_came(
    name: str, code: int, shell: Shell
) -> None:
    recipe = shell.recipe(["hang@n=3,key=a", "ok@key=b"], ["ok"])
    process = " ".join(map(shlex.quote, shell.command("ask", "hi", "-r", recipe)))
    number = int(getattr(signal, name))

    def tell(pid: int) -> None:
        shell.server.wait_for(lambda requests: len(requests) == 2 and requests[0].sent_chunks > 2, timeout=30)
        os.kill(pid, number)

    screen, got = on_a_terminal(shell, f"exec {process}", tell)
    assert got == code
    assert screen.rindex("\x1b[?25h") > screen.rindex("\x1b[?25l")
    assert "stopped by hand" in screen
    assert "2 of 3 calls" in screen


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_told_and_a_full_stderr_costs_nothing(shell: Shell) -> None:
    recipe = shell.recipe(["ok@n=3"])
    command = " ".join(map(shlex.quote, shell.command("ask", "hi", "-r", recipe)))

    def sh(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line], env=shell.environ, capture_output=True, text=True, check=False, timeout=60
        )

    full = sh(f"{command} > /dev/full")
    assert full.returncode == 2
    assert "cannot be written: No space left on device" in full.stderr
    assert "Traceback" not in full.stderr
    for line in (f"{command} 2> /dev/full", f"{command} 2>&-"):
        done = sh(line)
        assert (done.returncode, done.stdout[:8]) == (0, "answer-" + done.stdout[7:8])
    closed = sh(f"{command} >&-")
    assert "Traceback" not in closed.stderr
    assert closed.returncode == 2
    plan = sh(f"{command} --dry-run > /dev/full")
    assert "cannot be written" in plan.stderr
    assert "Traceback" not in plan.stderr


def test_a_reader_that_goes_away_is_no_crash(shell: Shell) -> None:
    with subprocess.Popen(
        shell.command("ask", "-q", "-r", shell.recipe(["ok@n=3000,tps=2000"]), "hi"),
        env=shell.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        wait_for_text(process, b"answer")
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
    assert b"Traceback" not in err
    assert process.returncode != 0


def test_the_cap_on_the_command_line_holds(shell: Shell) -> None:
    shell.environ["OPENAI_API_KEY"] = "sk-never-used"
    path = shell.folder / "paid.toml"
    path.write_text('name = "paid"\n[[layers]]\nagents = [{ model = "gpt-6-sol", max_tokens = 100000 }]\n')
    done = shell("ask", "-r", str(path), "--max-cost", "0.5", "hi")
    assert done.returncode == 1
    assert "max_cost $0.5" in done.stderr


def test_a_days_budget_holds_until_it_is_told_not_to(shell: Shell) -> None:
    shell.environ["OPENAI_API_KEY"] = "sk-never-used"
    config = shell.folder / "config.toml"
    config.write_text(f"[budget]\nday = 0.5\n{config.read_text()}")
    path = shell.folder / "paid.toml"
    path.write_text('name = "paid"\n[[layers]]\nagents = [{ model = "gpt-6-sol", max_tokens = 100000 }]\n')
    done = shell("ask", "-r", str(path), "hi")
    assert done.returncode == 1
    assert "the day's budget of $0.5 are spent" in done.stderr
    assert "--over-budget passes it this once" in done.stderr
    free = shell("ask", "-q", "--over-budget", "-r", shell.recipe(["ok"]), "hi")
    assert free.returncode == 0


@pytest.mark.parametrize("value", ["0", "-1", '"much"', "nan"])
def test_a_budget_that_is_none_is_said_with_file_and_key(shell: Shell, value: str) -> None:
    config = shell.folder / "config.toml"
    config.write_text(f"[budget]\nday = {value}\n")
    done = shell("ask", "-r", "demo", "hi")
    assert done.returncode == 2
    assert "config.toml" in done.stderr
    assert "budget.day" in done.stderr or "day" in done.stderr


def test_a_dry_run_prints_the_plan_and_calls_nobody(shell: Shell) -> None:
    done = shell("ask", "--dry-run", "-r", "moa", "hello")
    assert done.returncode == 0
    assert "moa: 3 layers, 13 calls" in done.stdout
    assert "at most about $1." in done.stdout
    assert "18,432 out" in done.stdout
    assert "16,384 of it to think" in done.stdout
    assert "of it for thinking up to its limits" in done.stdout
    assert "TOGETHERAI_API_KEY is not set" in done.stdout
    own = shell("ask", "--dry-run", "-r", shell.recipe(["ok"], ["ok"]), "hello")
    assert "local: these servers are on this machine and cost nothing" in own.stdout
    config = shell.folder / "config.toml"
    config.write_text(f"{config.read_text()}charges = true\n")
    unknown = shell("ask", "--dry-run", "-r", shell.recipe(["ok"], ["ok"]), "hello")
    assert "price unknown" in unknown.stdout
    assert not shell.server.requests
    document = json.loads(shell("ask", "--dry-run", "--output", "json", "-r", "moa-lite", "hi").stdout)
    assert [len(layer["calls"]) for layer in document["layers"]] == [6, 1]


def test_effort_is_that_of_every_agent_and_leaves_its_room(shell: Shell) -> None:
    done = shell("ask", "--dry-run", "--effort", "low", "-r", "duo", "hello")
    assert done.stdout.count("4,096 of it to think  effort low") == 3
    document = json.loads(
        shell("ask", "--dry-run", "--output", "json", "--effort", "none", "-r", "duo", "hi").stdout
    )
    calls = [call for layer in document["layers"] for call in layer["calls"]]
    assert {call["reasoning_effort"] for call in calls} == {"none"}
    refused = shell("ask", "--effort", "extreme", "hello")
    assert refused.returncode == 2
    assert "'none', 'minimal', 'low', 'medium', 'high'" in refused.stderr


def test_effort_takes_what_a_recipe_takes() -> None:
    option = next(option for option in ask.params if option.name == "effort")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == EFFORTS


def test_with_no_key_and_no_server_the_demo_answers_and_says_so(shell: Shell) -> None:
    recipes = shell.folder / "recipes"
    recipes.mkdir()
    (recipes / "demo.toml").write_text(  # the user's own takes the place of the built-in one, and is quicker
        'name = "demo"\n[defaults]\nextra = { tokens_per_second = 100000 }\n'
        '[[layers]]\nagents = [{ model = "demo/terse" }, { model = "demo/coder" }]\n'
        '[[layers]]\nagents = [{ model = "demo/thorough" }]\n'
    )
    done = shell("ask", "-q", "What is a moa?")
    assert done.returncode == 0
    assert "imulated" in done.stdout
    assert "these answers are simulated" in done.stderr
    assert "OPENROUTER_API_KEY" in done.stderr


@pytest.mark.parametrize("output", ["text", "json", "events"])
def test_a_key_is_in_no_output(output: str, shell: Shell) -> None:
    done = shell(
        "ask",
        "--show-proposers",
        "--output",
        output,
        "-r",
        shell.recipe(["leak", "leak_stream", "ok"], ["ok"]),
        "hi",
    )
    assert any(CANARY in request.headers["authorization"] for request in shell.server.requests)
    assert CANARY not in done.stdout + done.stderr
    assert "[LAB_KEY]" in done.stdout + done.stderr, "the servers did repeat it"
    for path in shell.folder.rglob("*"):
        assert not path.is_file() or CANARY not in path.read_text(errors="replace")


def test_output_survives_a_terminal_that_knows_no_unicode(shell: Shell) -> None:
    shell.environ |= {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    recipe = shell.recipe(["split_utf8"])
    done: Any = shell("ask", "-r", recipe, "hi")
    assert done.returncode == 0
    assert "?" in done.stdout
    document = json.loads(shell("ask", "-q", "-r", recipe, "--output", "json", "hi").stdout)
    assert not document["answer"].isascii(), "JSON loses nothing"
