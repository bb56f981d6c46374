"""How the room is divided, in tables: by the terminal, the conversation, the panes and the choice."""

from __future__ import annotations

import itertools

import pytest

from moa_tui.ui.run import room
from moa_tui.ui.run.room import Box, Mode, Need

SHORT = Need(6, 6)
LONG = Need(6, 500)


@pytest.mark.parametrize(
    ("height", "mode", "need", "before", "rows"),
    [
        # What the conversation needs, and the panes have the rest.
        (36, "automatic", SHORT, None, 6),
        (20, "automatic", SHORT, None, 6),
        (15, "automatic", SHORT, None, 6),
        # Of a long conversation nearly a third stays in sight; of a long question no more than half.
        (36, "automatic", LONG, None, 10),
        (36, "automatic", Need(30, 30), None, 18),
        # With next to no room, the panes have eight rows before the conversation has more than three.
        (12, "automatic", SHORT, None, 4),
        (10, "automatic", SHORT, None, 3),
        (4, "automatic", SHORT, None, 2),
        # An answer that grows gets some rows more at a time, and keeps what it has while that is about right.
        (36, "automatic", Need(8, 8, grows=True), 6, 11),
        (36, "automatic", Need(9, 9, grows=True), 11, 11),
        (36, "automatic", Need(11, 11, grows=True), 11, 11),
        (36, "automatic", Need(12, 12, grows=True), 11, 15),
        (36, "automatic", Need(40, 40, grows=True), 15, 18),
        (36, "automatic", Need(7, 7), 6, 7),
        (36, "automatic", Need(6, 6), 7, 7),
        (36, "automatic", Need(6, 6), 18, 6),
        # A prompt that grows takes the room from below, never all of it.
        (26, "automatic", SHORT, 6, 6),
        (9, "automatic", SHORT, 6, 3),
        (36, "half", SHORT, None, 18),
        (36, "half", LONG, 6, 18),
        (36, "panes", SHORT, None, 0),
        # Panes that are opened although the chat was to be alone.
        (36, "chat", SHORT, None, 6),
    ],
)
def test_rows_of_the_conversation(height: int, mode: Mode, need: Need, before: int | None, rows: int) -> None:
    assert room.chat_rows(height, mode, need, before) == rows


@pytest.mark.parametrize(
    ("width", "mode", "columns"),
    [
        (180, "automatic", 72),
        (200, "automatic", 80),
        (220, "automatic", 88),
        (300, "automatic", 96),
        (220, "half", 110),
        (220, "panes", 0),
    ],
)
def test_columns_of_the_conversation(width: int, mode: Mode, columns: int) -> None:
    assert room.chat_columns(width, mode) == columns


def test_the_modes_go_round() -> None:
    modes: list[Mode] = ["automatic"]
    while (mode := room.next_mode(modes[-1])) not in modes:
        modes.append(mode)
    assert modes == ["automatic", "half", "panes", "chat"]


@pytest.mark.parametrize(
    ("size", "panes", "shown", "columns", "lowest"),
    [
        # At 80 columns one pane at a time, or two where it is high.
        ((80, 13), 4, 1, 1, 13),
        ((80, 40), 2, 2, 1, 20),
        # 120x40: rather two wide panes than four crumbs.
        ((120, 30), 1, 1, 1, 30),
        ((120, 30), 2, 2, 2, 30),
        ((120, 30), 3, 3, 2, 15),
        ((120, 30), 4, 4, 2, 15),
        ((120, 30), 6, 6, 3, 15),
        ((120, 30), 9, 9, 3, 10),
        ((120, 14), 4, 2, 2, 14),
        ((120, 30), 20, 7, 3, 10),
        # Beside a chat.
        ((108, 56), 4, 4, 2, 28),
        ((132, 56), 2, 2, 2, 56),
        ((132, 56), 6, 6, 2, 18),
        ((132, 56), 9, 9, 3, 18),
        ((132, 56), 20, 10, 2, 11),
        ((220, 56), 20, 20, 5, 14),
    ],
)
def test_panes_on_a_page(size: tuple[int, int], panes: int, shown: int, columns: int, lowest: int) -> None:
    page = room.paginate(*size, [False] * panes)
    places, _ = room.boxes(*size, len(page.panes), 0)
    assert len(page.panes) == shown
    assert len({place.x for place in places if place.y == 0}) == columns
    assert min(place.height for place in places) == lowest


@pytest.mark.parametrize("width", [60, 80, 99, 100, 120, 160, 220, 400])
@pytest.mark.parametrize("height", [3, 8, 13, 30, 56, 120])
@pytest.mark.parametrize("panes", [1, 2, 3, 4, 6, 9, 20])
def test_every_pane_is_on_one_page_and_pages_fill_the_room_without_overlap(
    width: int, height: int, panes: int
) -> None:
    for folded in {0, panes // 2, panes - 1}:
        folds = [number < folded for number in range(panes)]
        count = room.paginate(width, height, folds).count
        pages = [room.paginate(width, height, folds, number) for number in range(count)]
        assert [page.number for page in pages] == list(range(count))
        seen = [number for page in pages for number in page.panes] + list(pages[0].titles)
        assert sorted(seen) == list(range(panes))
        for page in pages:
            places = list(itertools.chain(*room.boxes(width, height, len(page.panes), len(page.titles))))
            assert all(place.width >= min(width, 38) and place.height >= 1 for place in places)
            assert all(
                place.x + place.width <= width and place.y + place.height <= height for place in places
            )
            assert not any(overlap(*pair) for pair in itertools.combinations(places, 2))
        for number in range(panes):
            page = room.page_of(width, height, folds, number)
            assert number in page.panes or number in page.titles


def overlap(first: Box, second: Box) -> bool:
    return (
        first.x < second.x + second.width
        and second.x < first.x + first.width
        and first.y < second.y + second.height
        and second.y < first.y + first.height
    )


def test_folded_panes_leave_their_room_to_the_others() -> None:
    page = room.paginate(120, 30, [True, False, True, False])
    assert (page.panes, page.titles) == ((1, 3), (0, 2))
    panes, titles = room.boxes(120, 30, 2, 2)
    assert panes == [Box(0, 0, 60, 29), Box(60, 0, 60, 29)]
    assert titles == [Box(0, 29, 60, 1), Box(60, 29, 60, 1)]


def test_folded_panes_without_a_line_have_pages_of_their_own() -> None:
    folds = [True] * 15 + [False] * 5
    page = room.paginate(80, 12, folds)
    assert page.panes == (15,)
    assert page.titles == (0, 1, 2, 3, 4, 5)
    last = room.paginate(80, 12, folds, 99)
    assert (last.panes, last.titles) == ((14,), ())


def test_a_page_is_not_turned_because_the_prompt_grew_by_some_lines() -> None:
    four = [False] * 4
    assert room.paginate(120, 18, four).count == 2
    assert room.paginate(120, 18, four, was_whole=True).count == 1
    assert room.paginate(120, 11, four, was_whole=True).count == 2
    assert room.paginate(120, 24, four).count == 1
