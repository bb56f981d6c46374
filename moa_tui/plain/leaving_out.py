"""What the last answer left out, numbered, and the answer written again with some of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.chat.left_out import LeftOut
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from moa_tui.plain.chat import PlainChat


def left_out(chat: PlainChat, numbers: str) -> None:
    """List the points, or write the answer again with those of the numbers given. Raises UsageError."""
    left = LeftOut(chat.session)
    points = chat.wait_for(left.list_of())
    if numbers:
        points.mark_numbers(numbers)
        chat.show(chat.wait_for(chat.session.change(left.change(points), points.turn)))
        return
    chat.voice.say(
        f"The answer left out {counted(len(points.points), 'point')} of the others. That can be right."
    )
    for place, point in enumerate(points.points):
        chat.voice.say(f"{place + 1}, {points.names(place)}: {one_line(point.text)}")
    how = "/left and numbers, such as /left 1 3,"
    chat.voice.say(f"{chat.wait_for(left.price_words(points, how))}.")
