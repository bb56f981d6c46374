"""What is loaded on first use: the registry's modules exist, and a stand-in behaves as the module would."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from moa_tui import deferred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COUNTED = """
import sys
sys.loads = getattr(sys, "loads", 0) + 1
value = sys.loads
def answer(): return value
"""


@pytest.fixture
def put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Writes a module `late` with this code, and puts its loading off."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "loads", 0, raising=False)
    monkeypatch.setattr(deferred, "_put_off", set())
    monkeypatch.setattr(deferred, "_loaded", {})
    monkeypatch.setattr(deferred, "MODULES", ("late",))

    def write(code: str) -> None:
        (tmp_path / "late.py").write_text(code)
        deferred.install(("late",))

    yield write
    sys.modules.pop("late", None)


@pytest.mark.parametrize("name", deferred.MODULES)
def test_every_module_of_the_registry_can_be_loaded(name: str) -> None:
    importlib.import_module(name)


def test_a_module_is_loaded_when_something_of_it_is_asked_for(put_off: Callable[[str], None]) -> None:
    put_off(COUNTED)
    late = importlib.import_module("late")
    assert sys.loads == 0  # type: ignore[attr-defined]
    assert late.answer() == 1
    assert late.value == 1
    assert importlib.import_module("late") is not late
    assert importlib.import_module("late").answer() == 1


def test_a_name_that_is_imported_from_it_loads_it(put_off: Callable[[str], None]) -> None:
    put_off(COUNTED)
    scope: dict[str, object] = {}
    exec("from late import value", scope)
    assert scope["value"] == 1


def test_a_module_that_is_loaded_already_is_left_alone(put_off: Callable[[str], None]) -> None:
    put_off(COUNTED)
    late = importlib.import_module("late")
    assert late.value == 1
    loaded = importlib.import_module("late")
    deferred.install(("late",))
    assert importlib.import_module("late") is loaded


def test_what_a_module_has_not_is_not_there(put_off: Callable[[str], None]) -> None:
    put_off(COUNTED)
    late = importlib.import_module("late")
    with pytest.raises(AttributeError, match="nothing"):
        _ = late.nothing


def test_a_change_of_the_module_is_seen_through_the_stand_in(put_off: Callable[[str], None]) -> None:
    put_off(COUNTED)
    late = importlib.import_module("late")
    assert late.value == 1
    importlib.import_module("late").value = 5
    assert late.value == 5
    assert late.answer() == 5


def test_threads_that_ask_at_once_load_it_once(put_off: Callable[[str], None]) -> None:
    put_off(f"import time\ntime.sleep(0.02)\n{COUNTED}")
    late = importlib.import_module("late")
    answers: list[int] = []
    begin = threading.Barrier(8)

    def ask() -> None:
        begin.wait()
        answers.append(late.answer())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 8


def test_an_error_is_raised_at_every_use_until_it_is_mended(
    put_off: Callable[[str], None], tmp_path: Path
) -> None:
    put_off("1 / 0")
    late = importlib.import_module("late")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _ = late.value
    (tmp_path / "late.py").write_text(f"# mended\n{COUNTED}")
    importlib.invalidate_caches()
    assert late.value == 1
    assert late.value == 1


def test_the_rest_is_loaded_past_a_module_that_cannot_be(put_off: Callable[[str], None]) -> None:
    put_off("1 / 0")
    late = importlib.import_module("late")
    deferred.load_rest()
    with pytest.raises(ZeroDivisionError):
        _ = late.value


def test_the_rest_is_loaded_where_nothing_has_imported_it(put_off: Callable[[str], None]) -> None:
    put_off(COUNTED)
    deferred.load_rest()
    assert sys.loads == 1  # type: ignore[attr-defined]
    assert importlib.import_module("late").value == 1


def test_the_rest_is_loaded_where_an_import_is_forbidden(
    put_off: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_off(COUNTED)
    late = importlib.import_module("late")
    monkeypatch.setitem(sys.modules, "forbidden", None)  # So Python lets anybody forbid an import.
    monkeypatch.setitem(sys.modules, "own", object())
    importer = ModuleType("importer")
    importer.late = late  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "importer", importer)
    deferred.load_rest()
    assert importer.late is sys.modules["late"]


def test_once_the_rest_is_loaded_importers_have_the_module_itself(
    put_off: Callable[[str], None], tmp_path: Path
) -> None:
    put_off(COUNTED)
    (tmp_path / "importer_of_late.py").write_text("import late\n")
    importer = importlib.import_module("importer_of_late")
    deferred.load_rest()
    assert importer.late is importlib.import_module("late")
    assert type(importer.late) is not deferred._StandIn
    del sys.modules["importer_of_late"]
