"""What a judge's verdicts come to: a score for each judgement, and how a judge did as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moa_tui.evaluation.judging.verdicts import parse_choice, parse_rating, parse_skills

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from moa_tui.evaluation.judging.prompts import Form
    from moa_tui.evaluation.judging.questions import Judgement
    from moa_tui.evaluation.values import RunResult

UNREADABLE = "unreadable"
SAME = "same text"
SCALES: dict[Form, tuple[float, float]] = {"pairs": (0.0, 1.0), "ratings": (1.0, 10.0), "skills": (1.0, 5.0)}
"""The least and the most that a score can be in each form."""

# What an answer that is the first in the first question, and the second in the second, gets for a verdict.
_OF_ORDER = ({"A": 1.0, "B": 0.0, "tie": 0.5}, {"A": 0.0, "B": 1.0, "tie": 0.5})


@dataclass(frozen=True, slots=True)
class Score:
    """What a judge gave for one answer.

    `value` is on the scale of its form, None where a verdict is missing. `verdicts` say what was read in each
    question: the verdict, `unreadable`, or `failed: ` and why. `reached` is false where a question was not
    asked yet.
    """

    candidate: str
    prompt: str
    turn: int
    value: float | None
    verdicts: tuple[str, ...]
    skills: Mapping[str, float | None] = field(default_factory=dict)
    reached: bool = True
    questions: tuple[str, ...] = ()
    """The ids of the questions that the verdicts are to; the same for answers that are the same."""

    @property
    def is_consistent(self) -> bool | None:
        """Whether a pair's verdicts say the same in both orders; None where they cannot be compared."""
        if self.value is None or len(self.verdicts) != 2:
            return None
        return _OF_ORDER[0][self.verdicts[0]] == _OF_ORDER[1][self.verdicts[1]]

    @property
    def unreadable(self) -> int:
        """How many of its verdicts could not be read."""
        return self.verdicts.count(UNREADABLE)

    @property
    def failures(self) -> tuple[str, ...]:
        """Why questions were not answered, each in words."""
        return tuple(verdict for verdict in self.verdicts if verdict.startswith("failed"))


def score_of(judgement: Judgement, result: Callable[[str], RunResult | None]) -> Score:
    """The score that a judge's replies come to; `result` gives how the run on a question ended, by its id."""
    if not judgement.questions:
        return Score(judgement.candidate, judgement.prompt, judgement.turn, 0.5, (SAME,))
    results = [result(question) for question in judgement.ids]
    verdicts: list[str] = []
    values: list[float | None] = []
    skills: Mapping[str, float | None] = {}
    for place, given in enumerate(results):
        value: float | None = None
        if given is None:
            verdict = "not asked"
        elif given.status != "done":
            verdict = f"failed: {given.error.message if given.error is not None else given.status}"
        elif judgement.form == "skills":
            read = parse_skills(given.answer, judgement.skills)
            skills = read or {}
            rated = [score for score in skills.values() if score is not None]
            value = sum(rated) / len(rated) if rated else None
            verdict = UNREADABLE if read is None else ", ".join(f"{s} {_short(v)}" for s, v in read.items())
        elif judgement.form == "ratings":
            value = parse_rating(given.answer)
            verdict = UNREADABLE if value is None else _short(value)
        else:
            choice = parse_choice(given.answer)
            value = None if choice is None else _OF_ORDER[place][choice]
            verdict = choice or UNREADABLE
        verdicts.append(verdict)
        values.append(value)
    readable = [value for value in values if value is not None]
    # One order alone would bring back the preference for a position.
    whole = sum(readable) / len(readable) if len(readable) == len(values) else None
    reached = None not in results
    return Score(
        judgement.candidate,
        judgement.prompt,
        judgement.turn,
        whole,
        tuple(verdicts),
        skills,
        reached,
        tuple(judgement.ids),
    )


def score_document(score: Score, about: Mapping[str, Any], asked: float | None) -> dict[str, Any]:
    """A score as it is kept: with the judge, the baseline and the judge's prompt in `about`, and when."""
    document: dict[str, Any] = {
        "candidate": score.candidate,
        "prompt": score.prompt,
        "turn": score.turn,
        "score": score.value,
        "verdicts": list(score.verdicts),
    }
    if score.skills:
        document["skills"] = dict(score.skills)
    return {**document, **about, "date": asked}


@dataclass(frozen=True, slots=True)
class JudgeRecord:
    """How a judge did over all of its judgements.

    What was asked about answers that are the same, such as a member's that a vote chose, was asked once and
    counts once among `unreadable`, `failures`, `compared`, `consistent` and `first`.
    Of `compared` pairs that were judged in both orders `consistent` had the same verdict in both; in
    `first` of the rest both verdicts were for the response that stood first.
    """

    judgements: int
    judged: int
    unreadable: int
    failures: Mapping[str, int]
    not_reached: int
    compared: int
    consistent: int
    first: int

    @property
    def is_whole(self) -> bool:
        """True where every judgement has a score."""
        return self.judged == self.judgements


def record_of(scores: Iterable[Score]) -> JudgeRecord:
    """How the judge did that gave these scores."""
    judgements = judged = unreadable = not_reached = compared = consistent = first = 0
    failures: dict[str, int] = {}
    asked: set[tuple[str, ...]] = set()
    for score in scores:
        judgements += 1
        judged += score.value is not None
        not_reached += not score.reached
        if score.questions:
            if score.questions in asked:
                continue
            asked.add(score.questions)
        unreadable += score.unreadable
        for failure in score.failures:
            failures[failure] = failures.get(failure, 0) + 1
        if score.is_consistent is not None:
            compared += 1
            consistent += score.is_consistent
            first += score.verdicts == ("A", "A")
    return JudgeRecord(judgements, judged, unreadable, failures, not_reached, compared, consistent, first)


def scaled(value: float, form: Form) -> float:
    """A score on a scale from 0 to 1, on which .5 is a tie or the middle."""
    least, most = SCALES[form]
    return (value - least) / (most - least)


def by_prompt(scores: Sequence[Score], turn: int | None = None) -> dict[str, float]:
    """The mean score of each prompt that has one; of one turn alone where one is named."""
    values: dict[str, list[float]] = {}
    for score in scores:
        if score.value is not None and turn in (None, 0, score.turn):
            values.setdefault(score.prompt, []).append(score.value)
    return {prompt: sum(given) / len(given) for prompt, given in values.items()}


def _short(value: float | None) -> str:
    return "n/a" if value is None else f"{value:g}"
