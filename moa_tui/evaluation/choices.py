"""The choices among a mixture's first answers: a vote, and one by a ranker, made by the engine.

Each is a recipe of its own, made from the mixture's: the same first layer, whose replies are there already,
and a last layer with the engine's task `vote` or `rank`. So only a ranker's calls are made and paid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.engine.layer import Layer
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.selection import majority
from moa_tui.engine.values import CallId, Failure, Reply
from moa_tui.evaluation.bulk_values import Job
from moa_tui.evaluation.graded import first_replies
from moa_tui.evaluation.judging.questions import Candidate, Given
from moa_tui.evaluation.values import BulkPrompt, RunKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.judging.questions import Kind

_NO_ANSWER = Failure("left_behind", "gave no answer in the run that is judged")
# A choice needs two answers.
_LEAST_ANSWERS = 2


def choice_recipes(recipe: Recipe) -> dict[Kind, Recipe]:
    """The recipes that choose among the answers of the first layer; none where there is no choice.

    The ranker is the mixture's aggregator. A mixture that votes or ranks itself has that choice already, and
    one that votes has no ranker.
    """
    if len(recipe.layers) < 2 or len(recipe.lineup[0]) < _LEAST_ANSWERS:
        return {}
    task = recipe.task(len(recipe.layers))
    is_one_choice = len(recipe.layers) == 2
    lasts: dict[Kind, Layer] = {}
    if not (task == "vote" and is_one_choice):
        lasts["vote"] = Layer(task="vote")
    if task != "vote" and not (task == "rank" and is_one_choice):
        ranker = recipe.listed_agents(len(recipe.layers))[0]
        lasts["rank"] = Layer(task="rank", agents=(ranker,))
    first = Layer(agents=recipe.layers[0].agents)
    limits = recipe.limits.model_copy(update={"max_cost": None})
    return {
        kind: Recipe(
            name=f"{recipe.name} ({kind})",
            defaults=recipe.defaults,
            agents=recipe.agents,
            layers=(first, last),
            limits=limits,
        )
        for kind, last in lasts.items()
    }


def choice_jobs(folder: RunFolder, recipe: Recipe, prompts: Iterable[BulkPrompt]) -> Iterator[Job]:
    """A job for each prompt and choice, with the replies of the first layer to choose among.

    A prompt whose run is not over waits: its choice would be kept, and miss the replies that are to come.
    """
    recipes = choice_recipes(recipe)
    for prompt in prompts if recipes else ():
        result = folder.result(RunKey(recipe.name, prompt.id, 1))
        if result is None or not result.is_final:
            continue
        replies = first_replies(folder, recipe, prompt)
        if sum(reply is not None for reply in replies) < _LEAST_ANSWERS:
            continue
        reused = {
            CallId(1, place): reply or Reply(agent.name, agent.model, "failed", error=_NO_ANSWER, cost=0.0)
            for place, (reply, agent) in enumerate(zip(replies, recipe.lineup[0], strict=True), 1)
        }
        first_turn = BulkPrompt(prompt.id, prompt.turns[:1], prompt.temperature, prompt.row)
        for choice in recipes.values():
            yield Job(choice, first_turn, reused)


def choice_candidates(
    source: RunFolder, chosen: RunFolder, recipe: Recipe, prompts: Iterable[BulkPrompt]
) -> list[Candidate]:
    """The choices as candidates: `source` is the folder that is judged, `chosen` that of the choices."""
    known = list(prompts)
    candidates = []
    for kind, choice in choice_recipes(recipe).items():
        answers = {}
        for prompt in known:
            result = chosen.result(RunKey(choice.name, prompt.id, 1))
            if result is not None and result.is_final and result.answer.strip():
                # What was there already took its time too.
                replies = filter(None, first_replies(source, recipe, prompt))
                seconds = max((reply.seconds for reply in replies), default=0.0) + result.seconds
                answers[prompt.id] = Given((result.answer,), result.cost, seconds)
        candidates.append(Candidate(choice.name, kind, answers, recipe.name))
    return candidates


def unsettled_votes(members: Iterable[Candidate], prompts: Mapping[str, object]) -> int:
    """The number of prompts on which a vote cannot count: no short answer is given by most.

    There it takes the answer that is most like the others.
    """
    known = list(members)
    unsettled = 0
    for prompt in prompts:
        texts = [member.answers[prompt].turns[0] for member in known if prompt in member.answers]
        unsettled += len(texts) >= _LEAST_ANSWERS and majority(texts) is None
    return unsettled
