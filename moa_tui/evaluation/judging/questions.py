"""What is judged, and which questions to a judge that takes.

A pair is asked about twice, once in each order, so that a judge's preference for a position cancels. The id
of a question is the hash of its text: what was once asked is never asked again, whoever gave the answers, and
the reply to another text never counts. Two answers that are the same word for word are a tie, and nobody is
asked.
"""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from moa_tui.evaluation.judging.prompts import Exchange, pair_prompt, rating_prompt, skills_prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moa_tui.evaluation.judging.prompts import Form
    from moa_tui.evaluation.values import BulkPrompt

_LONGEST_LIST = 2_000

Kind = Literal["recipe", "member", "vote", "rank", "outputs"]
"""Whose answers they are: a whole recipe's, one of its proposers', a choice among theirs, or a file's."""


@dataclass(frozen=True, slots=True)
class Given:
    """The answer to one prompt, a text for each turn that was answered.

    `cost` is in US dollars, None where it is unknown; `seconds` is None where nobody measured; both are those
    of all turns. `first` is the first turn alone, None where there is no other.
    """

    turns: tuple[str, ...]
    cost: float | None = None
    seconds: float | None = None
    first: Given | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One whose answers are judged: by name, with the answers by the prompt's id.

    `recipe` is the recipe that it belongs to, `model` the model of a member; both are empty for a file's.
    `samples_of` is the name that several members share where they are one agent, asked several times.
    """

    name: str
    kind: Kind
    answers: Mapping[str, Given] = field(repr=False)
    recipe: str = ""
    model: str = ""
    samples_of: str = ""

    @property
    def is_of_recipe(self) -> bool:
        """True for what is compared with a recipe: its members, and the choices among their answers."""
        return self.kind in ("member", "vote", "rank")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One answer that is judged, with the questions that this takes.

    `turn` is the turn that is rated, 0 where the conversation is judged as a whole. Of a pair the candidate
    is the first in the first question and the second in the second.
    """

    form: Form
    candidate: str
    prompt: str
    turn: int
    questions: tuple[str, ...]
    skills: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the questions."""
        return tuple(map(question_id, self.questions))


def question_id(text: str) -> str:
    """The id of a question to a judge."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def judgements(
    form: Form, candidate: Candidate, prompts: Sequence[BulkPrompt], baseline: Candidate | None
) -> Iterator[Judgement]:
    """The judgements on one candidate, in the order of the prompts.

    Prompts that it has no answer to, or that a pair's `baseline` has none to, are left out, as are prompts
    that name no skill where skills are scored. A member's answers are rated on the first turn alone: what
    it writes in a later one follows the answers of its mixture.
    """
    for prompt in prompts:
        given = candidate.answers.get(prompt.id)
        if given is None:
            continue
        if form == "pairs":
            other = baseline.answers.get(prompt.id) if baseline is not None else None
            if other is not None:
                yield _pair(candidate.name, prompt, given, other)
        else:
            yield from _single(form, candidate, prompt, given)


def _pair(name: str, prompt: BulkPrompt, given: Given, other: Given) -> Judgement:
    # What both have answered is compared: a later turn follows the earlier ones.
    turns = min(len(given.turns), len(other.turns))
    own, others, asked = given.turns[:turns], other.turns[:turns], prompt.turns[:turns]
    if own == others:
        return Judgement("pairs", name, prompt.id, 0, ())
    reference = references_of(prompt)[:turns]
    questions = (pair_prompt(asked, own, others, reference), pair_prompt(asked, others, own, reference))
    return Judgement("pairs", name, prompt.id, 0, questions)


def _single(form: Form, candidate: Candidate, prompt: BulkPrompt, given: Given) -> Iterator[Judgement]:
    references = references_of(prompt)
    turns = given.turns[:1] if candidate.is_of_recipe or form == "skills" else given.turns
    for turn in range(1, len(turns) + 1):
        exchange = Exchange(prompt.turns[:turn], given.turns[:turn])
        reference = references[turn - 1 : turn]
        if form == "ratings":
            question = rating_prompt(exchange, reference)
            yield Judgement(form, candidate.name, prompt.id, turn, (question,))
        elif skills := skills_of(prompt):
            question = skills_prompt(exchange, skills, reference)
            yield Judgement(form, candidate.name, prompt.id, turn, (question,), skills)


def references_of(prompt: BulkPrompt) -> tuple[str, ...]:
    """The reference answers that an input gives, one for each turn; none where it has none.

    They stand in `reference` (MT-Bench, and any other input), or beside skills in `answer` (FLASK).
    """
    value = prompt.row.get("reference")
    if value is None and skills_of(prompt):
        value = prompt.row.get("answer")
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        return ()
    return tuple(value) if all(text.strip() for text in value) else ()


def skills_of(prompt: BulkPrompt) -> tuple[str, ...]:
    """The skills that an input names for a prompt, under `metrics`, `skills` or `skill`.

    FLASK's published file has them under `skill`, as the text of a list in Python; its grader reads
    `metrics`.
    """
    for field_name in ("metrics", "skills", "skill"):
        value = prompt.row.get(field_name)
        if isinstance(value, str) and field_name != "metrics":
            value = _listed(value)
        if isinstance(value, list) and value and all(isinstance(skill, str) for skill in value):
            return tuple(dict.fromkeys(skill.strip() for skill in value if skill.strip()))
    return ()


def _listed(text: str) -> object:
    """The list that a text writes out, as `['Readability', 'Conciseness']`, or as in a cell of CSV."""
    if not text.lstrip().startswith("["):
        return text.replace(";", ",").split(",")
    if len(text) > _LONGEST_LIST:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
