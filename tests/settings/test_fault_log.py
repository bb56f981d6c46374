"""The log of faults: what is in it, what never is, and that it is nobody else's and never in the way."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from click.testing import CliRunner

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.session import ChatSession
from moa_tui.cli import headless, main
from moa_tui.cli.ask import assemble_prompt
from moa_tui.engine import limits
from moa_tui.errors import ModelError, UsageError
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread
from moa_tui.settings import fault_log, paths
from moa_tui.settings.config import Endpoint
from tests.fakes import FakeGateway, FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model_server import ModelServer

KEY, PROMPT, ANSWER, BODY = "sk-canary-51c2", "canary-prompt-72", "canary-answer-83", "canary-body-94"
CANARIES = (KEY, PROMPT, ANSWER, BODY)

unix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes of files")
not_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)


def logged() -> str:
    """The newest part of the log, or "" where nothing was written; checked to hold no canary."""
    path = paths.fault_log_file()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    assert not [canary for canary in CANARIES if canary in text]
    return text


def raised() -> Exception:
    """A bug whose messages, notes and locals hold canaries, raised from a chain of such."""
    key = KEY[:]
    try:
        try:
            int(f"{ANSWER} {key}")
        except ValueError as error:
            error.add_note(PROMPT)
            raise KeyError(PROMPT) from error
    except KeyError as error:
        try:
            raise ExceptionGroup(BODY, [RuntimeError(KEY), error]) from None
        except ExceptionGroup as group:
            return group


@pytest.fixture
def log() -> Iterator[None]:
    with fault_log.opened():
        yield


# What is written


@pytest.mark.usefixtures("log")
def test_a_bug_is_written_with_types_causes_and_frames_and_without_a_word_of_its_messages() -> None:
    assert not paths.fault_log_file().exists(), "no file before the first fault"
    assert fault_log.record_bug(raised()) == f"written to {paths.fault_log_file()}"
    text = logged()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} bug ExceptionGroup, moa-tui ", text)
    assert re.search(r"test_fault_log\.py:\d+ in raised", text)
    for line in ("  ExceptionGroup", "raised while handling KeyError", "caused by ValueError"):
        assert line in text
    assert "in the group RuntimeError" in text


@pytest.mark.usefixtures("log")
def test_files_are_named_within_their_package_and_only_our_own_lines_are_quoted() -> None:
    with pytest.raises(UsageError) as error:
        assemble_prompt("", "", [])
    fault_log.record_bug(error.value)
    with pytest.raises(ValueError, match="Expecting value") as foreign:
        json.loads(PROMPT)
    fault_log.record_bug(foreign.value)
    text = logged()
    assert re.search(r"\n    json/decoder\.py:\d+ in JSONDecoder\.raw_decode\n", text)
    assert re.search(r"\n    moa_tui/cli/ask\.py:\d+ in assemble_prompt: raise UsageError\(", text)
    assert "json.loads(" not in text
    assert str(Path.home()) not in text


@pytest.mark.usefixtures("log")
def test_a_recursion_without_end_is_cut() -> None:
    def again() -> None:
        again()

    with pytest.raises(RecursionError) as error:
        again()
    fault_log.record_bug(error.value)
    assert "frames left out" in logged()
    assert len(logged().splitlines()) < 70


@pytest.mark.usefixtures("log")
def test_a_bug_that_is_recorded_twice_is_written_once() -> None:
    bug = raised()
    assert fault_log.record_bug(bug) == fault_log.record_bug(bug)
    assert logged().count("bug ExceptionGroup") == 1


@pytest.mark.usefixtures("log")
def test_what_else_is_logged_with_an_exception_is_written_without_it() -> None:
    try:
        raise ValueError(KEY)
    except ValueError:
        logging.getLogger("moa_tui").exception("plain words", stack_info=True)
    assert logged().endswith(" plain words\n")


@pytest.mark.usefixtures("log")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_that_ends_a_thread_is_written() -> None:
    def fail() -> None:
        raise LookupError(KEY)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert "bug LookupError" in logged()


@pytest.mark.usefixtures("log")
def test_what_nobody_waited_for_on_the_engines_loop_is_written() -> None:
    written = threading.Event()

    async def leave_a_failure() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(fail)
        loop.call_soon(written.set)

    def fail() -> None:
        raise LookupError(KEY)

    with EngineThread() as engine:
        engine.submit(leave_a_failure()).result(10)
        assert written.wait(10)
    assert "bug LookupError" in logged()


# Failed calls


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 0.001)


def answer(gateway: object, this: Any) -> int:
    request = headless.Request(PROMPT, this, quiet=True)
    with EngineThread() as engine:
        session = ChatSession(Chat(Backend(cast("Gateway", gateway), engine), this))
        return headless.answer(request, session, io.StringIO(), io.StringIO())


@pytest.mark.usefixtures("log", "no_waiting")
def test_a_failed_call_is_written_with_its_model_kind_status_and_the_exceptions_behind() -> None:
    def model_error() -> ModelError:
        error = ModelError("server", BODY, 503)
        error.__cause__ = raised()
        return error

    models = FakeModels(bad=[[ANSWER, model_error()]], good=[[ANSWER]])
    assert answer(FakeGateway(models), recipe(["bad", "good"], ["good"])) == headless.ANSWERED
    text = logged()
    assert re.search(
        r" call L1\.1 partial: model bad, kind server, HTTP 503, 1 attempts, \d+\.\d s\n  moa_tui", text
    )
    assert "moa_tui.errors.ModelError" in text
    assert "caused by ExceptionGroup" in text
    assert "L1.2" not in text


@pytest.mark.usefixtures("log", "no_waiting")
def test_a_call_that_failed_after_a_retry_is_not_told_with_the_exceptions_of_the_try_before() -> None:
    models = FakeModels(bad=[[ModelError("server", BODY, 503)], [" "]], good=[[ANSWER]])
    answer(FakeGateway(models), recipe(["bad", "good"], ["good"]))
    assert re.search(r" call L1\.1 failed: model bad, kind empty, 2 attempts, \d+\.\d s\n\Z", logged())


@pytest.mark.usefixtures("log")
def test_a_bug_in_a_run_is_written_once_and_raised_as_ever() -> None:
    models = FakeModels(bad=[[LookupError(KEY)]])
    with EngineThread() as engine:
        chat = Chat(Backend(cast("Gateway", FakeGateway(models)), engine), recipe(["bad"]))
        running = chat.send(PROMPT)
        while running.events.get(timeout=10) is not None:
            pass
        with pytest.raises(ExceptionGroup) as error:
            running.result()
    assert logged().count(" bug ") == 1
    assert "in the group LookupError" in logged()
    fault_log.record_bug(error.value)
    assert logged().count(" bug ") == 1


@pytest.mark.usefixtures("log", "no_waiting")
@pytest.mark.parametrize("mode", ["leak", "leak_stream", "http401", "http500", "drop", "torn_json"])
def test_nothing_of_what_a_real_server_says_or_is_sent_is_written(mode: str, server: ModelServer) -> None:
    gateway = Gateway({"lab": Endpoint(base_url=server.url, key_env="LAB_KEY")}, {"LAB_KEY": KEY})
    assert answer(gateway, recipe([f"lab/{mode}"], retries=0)) == headless.FAILED
    assert server.requests
    assert PROMPT in str(server.requests[-1].body)
    text = logged()
    assert f"model lab/{mode}, kind " in text
    assert "moa_tui/gateway/litellm_stream.py:" in text
    assert "Bearer" not in text
    assert server.url not in text


# The file


@unix_only
def test_directory_and_files_are_the_owners_alone_also_after_rotation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fault_log, "MAX_BYTES", 2_000)
    before = os.umask(0)
    try:
        with fault_log.opened():
            fault_log.record_bug(LookupError(KEY))
        paths.fault_log_file().chmod(0o644)
        with fault_log.opened():
            for _ in range(20):
                fault_log.record_bug(raised())
    finally:
        os.umask(before)
    folder = paths.state_dir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(folder.glob("faults.log*"))
    assert [file.name for file in files if file.suffix != ".lock"] == [
        "faults.log",
        "faults.log.1",
        "faults.log.2",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_log_takes_no_more_than_three_files_of_512_kb() -> None:
    with fault_log.opened():
        handler = fault_log._handler()
        assert handler is not None
        assert (handler.maxBytes, handler.backupCount) == (512 * 1024, 2)


def test_a_file_that_another_process_has_rotated_away_is_not_written_to_again() -> None:
    ours, theirs = (fault_log._Handler(paths.fault_log_file()) for _ in range(2))
    for handler, words in ((ours, "ours before"), (theirs, "theirs before")):
        handler.emit(logging.LogRecord("moa_tui", logging.ERROR, "", 1, words, None, None))
    theirs.doRollover()
    ours.emit(logging.LogRecord("moa_tui", logging.ERROR, "", 1, "ours after", None, None))
    for handler in (ours, theirs):
        handler.close()
    assert "ours after" in logged()
    assert "before" not in logged()


WRITER = """
import sys
from moa_tui.settings import fault_log
fault_log.OLDER_FILES, fault_log.MAX_BYTES = 1000, 3000
with fault_log.opened():
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(100):
        assert fault_log.record_bug(type(sys.argv[1], (Exception,), {})()).startswith("written")
"""


@pytest.mark.program
def test_two_processes_that_write_at_once_lose_nothing() -> None:
    names = ("First", "Second")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in names
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.close()
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
        assert writer.wait(60) == 0
    parts = [path for path in paths.state_dir().glob("faults.log*") if path.suffix != ".lock"]
    assert len(parts) > 3, "it rotated"
    lines = "".join(path.read_text() for path in parts).splitlines()
    for name in names:
        assert sum(f"bug __main__.{name}," in line for line in lines) == 100


def test_where_the_file_cannot_be_written_nothing_else_fails(capsys: pytest.CaptureFixture[str]) -> None:
    paths.state_dir().write_text("a file stands where the directory should be")
    with fault_log.opened():
        words = fault_log.record_bug(raised())
        assert words.startswith(f"not written to {paths.fault_log_file()}: ")
        gateway = FakeGateway(FakeModels(bad=[[ModelError("auth", BODY, 401)]]))
        assert answer(gateway, recipe(["bad"])) == headless.FAILED
    assert capsys.readouterr() == ("", "")


def test_without_an_open_log_a_bug_is_said_not_to_be_written() -> None:
    assert fault_log.record_bug(raised()) == "not written to a log"
    assert not paths.state_dir().exists()


def test_closing_leaves_logging_and_threads_as_they_were() -> None:
    logger, hook = logging.getLogger("moa_tui"), threading.excepthook
    before = (list(logger.handlers), logger.propagate)
    with contextlib.suppress(KeyError), fault_log.opened():
        raise KeyError
    assert (list(logger.handlers), logger.propagate) == before
    assert threading.excepthook is hook


# The commands


def call(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments))


def test_a_bug_that_ends_ask_is_written_and_a_users_mistake_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("ask", "-r", "no-such-recipe", PROMPT).exit_code == 2
    assert logged() == ""

    def fail(*_: object) -> int:
        raise LookupError(KEY)

    monkeypatch.setattr(headless, "answer", fail)
    done = call("ask", "-q", "-r", "demo", PROMPT)
    assert isinstance(done.exception, LookupError)
    assert "bug LookupError" in logged()


@pytest.fixture
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa_tui.gateway.discovery._ask", lambda server, tell: None)


@pytest.mark.usefixtures("no_servers")
def test_doctor_names_the_log_its_size_and_its_newest_entry() -> None:
    assert f"{paths.fault_log_file()} (no fault so far)" in call("doctor").output
    with fault_log.opened():
        fault_log.record_bug(LookupError(KEY))
        fault_log.record_bug(raised())
    done = call("doctor")
    assert re.search(
        r"faults +\S+faults\.log \(\d+ KB; newest: \S+ bug ExceptionGroup, moa-tui ", done.output
    )
    assert not [canary for canary in CANARIES if canary in done.output]


@pytest.mark.usefixtures("no_servers")
def test_doctor_says_that_the_log_cannot_be_written() -> None:
    paths.fault_log_file().mkdir(parents=True)
    done = call("doctor")
    assert done.exit_code == 1
    assert f"✗ {paths.fault_log_file()}: cannot be read" in done.output


@not_root
@unix_only
@pytest.mark.usefixtures("no_servers")
def test_doctor_says_that_the_log_is_read_only() -> None:
    with fault_log.opened():
        fault_log.record_bug(raised())
    paths.fault_log_file().chmod(0o400)
    done = call("doctor")
    assert done.exit_code == 1
    assert f"✗ {paths.fault_log_file()}: cannot be written" in done.output
