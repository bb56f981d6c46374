"""The questions that the plain chat asks in a line: servers, budgets, checklists, the better answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui.chat import trust_words
from moa_tui.text.safe import safe_text
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from moa_tui.chat.trust_words import TrustAnswer
    from moa_tui.engine.events import PointsFound
    from moa_tui.errors import UntrustedServerError
    from moa_tui.plain.reader import Reader
    from moa_tui.plain.voice import Voice

_ANSWERS: dict[str, TrustAnswer] = {
    "y": "once",
    "yes": "once",
    "a": "always",
    "always": "always",
    "never": "never",
}


class Questions:
    """Asks, and reads the answer; where nobody is there to answer, the careful answer is taken."""

    def __init__(self, voice: Voice, reader: Reader) -> None:
        self._voice = voice
        self._reader = reader

    def confirm(self, question: str) -> bool:
        """True where somebody says yes."""
        return self._reader.ask(f"{question} y/n:") in ("y", "yes")

    def trust(self, error: UntrustedServerError) -> TrustAnswer | None:
        """Whether prompts may go to the servers that `error` names; None for not now."""
        places = list(dict.fromkeys(error.places))
        self._voice.say(trust_words.question(places))
        self._voice.say(trust_words.who_sends(error.recipe))
        for number, (server, key) in enumerate(places, 1):
            self._voice.write_text(trust_words.server_line(number, server, key, "to"))
        # Not in the line that is read: where the terminal cannot wrap it, readline shows only its end.
        self._voice.say("y: yes, until this program ends; always; never, and do not ask again; n: not now.")
        answer = self._reader.ask("Send? y, always, never or n:")
        return _ANSWERS.get(answer)

    def points(self, found: PointsFound) -> frozenset[int] | None:
        """The places, from 0, of the points that the answer is to keep; None to stop the run."""
        everything = frozenset(range(len(found.points)))
        self._voice.say(f"{counted(len(found.points), 'point')} for you to choose from:")
        for number, point in enumerate(found.points, 1):
            self._voice.write_text(f"{number}. {safe_text(point)}")
        while True:
            answer = self._reader.ask("Leave out (numbers, Enter for none, or stop):")
            if answer in ("stop", "s"):
                return None
            left_out = numbers_in(answer)
            if left_out is not None and left_out <= {number + 1 for number in everything}:
                return everything - {number - 1 for number in left_out}
            self._voice.say(f"Numbers from 1 to {len(everything)} are points; nothing was decided.")

    def choose(self, count: int) -> int | None:
        """The number of the best of so many answers, 0 for none of them; None where nobody chooses."""
        while True:
            answer = self._reader.ask(f"Which is better? 1 to {count}, 0 for none, Enter to leave it:")
            if not answer:
                return None
            if answer.isdecimal() and int(answer) <= count:
                return int(answer)
            self._voice.say(f"That is no number from 0 to {count}.")


def numbers_in(text: str) -> set[int] | None:
    """The numbers in a text of numbers, spaces and commas; None where there is anything else in it."""
    words = re.split(r"[\s,]+", text.strip()) if text.strip() else []
    return {int(word) for word in words} if all(re.fullmatch(r"\d{1,6}", word) for word in words) else None
