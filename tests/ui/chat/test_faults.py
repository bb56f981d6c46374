"""A bug in the chat is told with the place where it was written, and its traceback is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.settings import fault_log, paths
from tests.ui.chat_app import ALONE, chat_app

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, PROMPT = "sk-canary-8d21", "canary-prompt-44"


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    with fault_log.opened():
        yield


def logged() -> str:
    text = paths.fault_log_file().read_text(encoding="utf-8")
    assert KEY not in text
    assert PROMPT not in text
    return text


async def test_a_bug_in_a_run_is_told_with_the_place_of_the_log() -> None:
    async with chat_app(ALONE, alone=[[LookupError(KEY)]]) as bench:
        await bench.submit(PROMPT)
        await bench.until_told("moa-tui has a fault", f"written to {paths.fault_log_file()}")
        assert KEY not in bench.notices
    assert logged().count(" bug ") == 1
    assert "in the group LookupError" in logged()


async def test_a_bug_that_nobody_caught_is_told_and_written_and_the_chat_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        secret = KEY[:]
        raise LookupError(PROMPT, len(secret))

    async with chat_app(ALONE) as bench:
        bench.app.call_later(fail)
        await bench.until_told("moa-tui has a fault", f"written to {paths.fault_log_file()}")
        assert KEY not in bench.notices
        assert PROMPT not in bench.notices
        await bench.ask("and the next prompt")
        bench.app.faults.clear()
    assert "bug LookupError" in logged()
    assert KEY not in capsys.readouterr().err


async def test_a_bug_before_the_chat_is_shown_ends_the_app_and_is_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        secret = KEY[:]
        raise LookupError(PROMPT, len(secret))

    monkeypatch.setattr("moa_tui.ui.chat.screen.ChatScreen.compose", fail)
    with pytest.raises(LookupError):
        async with chat_app():
            pass
    assert "bug LookupError" in logged()
    assert KEY not in capsys.readouterr().err
