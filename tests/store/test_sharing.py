"""Several programs and threads at one file: nothing is lost, and one of them holds a conversation."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from moa_tui.store import Store
from tests.conversations import (
    a_recipe,
    a_turn,
)
from tests.store.helpers import Prose, ids, replay

_WRITES = """
import sys
from pathlib import Path
from moa_tui.store import Store
from tests.conversations import a_conversation
with Store(Path(sys.argv[1])) as store:
    print("open", flush=True)
    sys.stdin.readline()
    for _ in range(25):
        made = a_conversation(2)
        store.save(made)
        print(made.id, flush=True)
"""


_HOLDS = """
import sys
from pathlib import Path
from moa_tui.store import Store
store = Store(Path(sys.argv[1]))
print(store.hold("shared"), flush=True)
sys.stdin.read()
"""


def started(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.program
def test_two_programs_write_one_new_file_and_nothing_is_lost(path: Path) -> None:
    with started(_WRITES, path) as one, started(_WRITES, path) as other:
        assert (said(one), said(other)) == ("open", "open")
        both = (one, other)
        for process in both:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=30)[0].split() for process in both]
        assert [process.returncode for process in both] == [0, 0]
    made = {id_ for output in outputs for id_ in output}
    assert len(made) == 50
    with Store(path) as store:
        assert set(ids(store.summaries())) == made
        assert all(len(store.load(id_).turns) == 2 for id_ in made)


@pytest.mark.program
def test_a_conversation_is_held_by_one_program_until_it_ends_however_it_ends(store: Store) -> None:
    with started(_HOLDS, store.path) as other:
        assert said(other) == "True"
        assert not store.hold("shared")
        assert store.hold("another")
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert store.hold("shared")
    assert store.hold("shared")


def test_what_one_thread_held_another_lets_go(path: Path) -> None:
    with Store(path) as store, Store(path) as other:
        before = len(list(Path("/dev/fd").iterdir()))
        thread = threading.Thread(target=store.hold, args=("shared",))
        thread.start()
        thread.join()
        assert not other.hold("shared")
        store.let_go("shared")
        assert len(list(Path("/dev/fd").iterdir())) == before
        assert other.hold("shared")
        assert not store.hold("shared")
    with Store(path) as store:
        assert store.hold("shared")


def test_threads_of_one_program_claim_one_conversation_together(store: Store) -> None:
    start = threading.Barrier(8)
    claims: list[bool] = []

    def claim() -> None:
        start.wait()
        claims.append(store.hold("shared"))

    for _ in range(10):
        threads = [threading.Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.let_go("shared")
    assert claims == [True] * 80


def test_an_id_from_a_strange_file_is_no_path(store: Store, tmp_path: Path) -> None:
    for id_ in ("../../outside", "a\0b", "\ud800", "x" * 5000, "C:\\con", ""):
        assert store.hold(id_)
        store.let_go(id_)
    assert not list(tmp_path.rglob("*.lock"))
    assert {file.name for file in tmp_path.iterdir()} <= {"data", "config"}


def test_where_no_claim_can_be_made_the_chat_goes_on(store: Store) -> None:
    (store.path.parent / "open").write_text("in the way")
    assert store.hold("one")
    store.let_go("one")


def test_what_is_read_is_of_one_moment(path: Path) -> None:
    """A conversation is read while another program adds to it."""
    made = Prose().conversation(a_recipe(3), 30)
    with Store(path) as reading, Store(path) as writing:
        writing.save(made)
        ended = threading.Event()

        def add() -> None:
            last = made.active
            whole = made
            for number in range(1000):
                if number >= 40 and len(seen) > 1:
                    break
                turn = a_turn(f"prompt {number}", f"answer {number}", parent=last)
                recording = writing.record(whole, turn)
                replay(recording, turn)
                writing._writer.flush()
                whole, last = whole.with_turn(turn), turn
            ended.set()

        seen: set[int] = set()
        thread = threading.Thread(target=add)
        thread.start()
        while not ended.is_set():
            seen.add(len(reading.load(made.id).turns))
        thread.join()
        assert len(reading.load(made.id).turns) >= 70
        assert len(seen) > 1
