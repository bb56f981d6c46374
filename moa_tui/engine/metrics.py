"""The computation of a run's metrics from its replies. Pure functions; no model is asked.

Overlap is how much of the final answer's wording a proposer's answer shares. It does not prove that the
answer was read: two models can write the same words without having read each other.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from moa_tui.engine.likeness import cosine, vector
from moa_tui.engine.values import LayerMetrics, Metrics, Overlap
from moa_tui.engine.words import words

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from moa_tui.engine.values import CallId, Reply

_NGRAM_SIZES = (3, 4, 5)


def measure(
    replies: Mapping[CallId, Reply],
    used: Mapping[int, Sequence[CallId]],
    final: CallId | None,
    read: Sequence[CallId] | None = None,
    proposers: Collection[CallId] | None = None,
    in_turn: Collection[int] = (),
    beside: Collection[int] = (),
) -> Metrics:
    """The metrics of a run.

    `used` names the calls of each layer whose replies counted, `final` the call whose text is the answer,
    `read` the calls whose answers the last layer read (None: those of the layer before) and `proposers` the
    calls that wrote answers (None: all). `in_turn` has the layers whose calls were made one after another,
    and `beside` those whose calls began beside the layer before: of these only the time after that one's end
    counts. A final answer that was chosen among the answers is not compared with them.
    """
    last = max((call.layer for call in replies), default=0)
    answer = replies[final] if final in replies and final is not None else None
    passed = [
        call
        for number in sorted(used)
        if number < last
        for call in used[number]
        if proposers is None or call in proposers
    ]
    overlap: tuple[Overlap, ...] = ()
    diversity = novelty = None
    if answer is not None and answer.text and passed and final not in passed:
        compared = used.get(last - 1, ()) if read is None else [call for call in read if call in passed]
        overlap, diversity, novelty = compare(
            answer.text, {call: replies[call].text for call in passed}, compared
        )
    compared_metrics = Metrics(overlap=overlap, diversity=diversity, novelty=novelty)
    counts = {number: len(calls) for number, calls in used.items()}
    return _with_times(compared_metrics, replies, counts, final, in_turn, beside)


def with_times_of(
    metrics: Metrics,
    replies: Mapping[CallId, Reply],
    final: CallId | None,
    in_turn: Collection[int],
    beside: Collection[int],
) -> Metrics:
    """The metrics of a run with the times of `replies`; the other arguments are those of `measure`.

    This is for a run that was put together from replies of earlier runs, which take no time in it.
    """
    counts = {layer.number: layer.used for layer in metrics.layers}
    return _with_times(metrics, replies, counts, final, in_turn, beside)


def _with_times(
    metrics: Metrics,
    replies: Mapping[CallId, Reply],
    used: Mapping[int, int],
    final: CallId | None,
    in_turn: Collection[int],
    beside: Collection[int],
) -> Metrics:
    """The metrics with the times of the layers; `used` counts the replies of each layer that counted."""
    layers = _layers(replies, used, in_turn, beside)
    critical_path_seconds = sum(layer.seconds for layer in layers)
    one_by_one_seconds = sum(reply.working_seconds for reply in replies.values() if not reply.reused)
    last = max((call.layer for call in replies), default=0)
    first_tokens = [
        reply.first_token
        for call, reply in replies.items()
        if call.layer < last and reply.first_token is not None and not reply.reused
    ]
    answer = replies[final] if final in replies and final is not None else None
    return replace(
        metrics,
        layers=layers,
        critical_path_seconds=critical_path_seconds,
        parallel_saving_seconds=max(0.0, one_by_one_seconds - critical_path_seconds),
        first_proposer_token_seconds=min(first_tokens, default=None),
        first_final_token_seconds=answer.first_token if answer is not None and not answer.reused else None,
    )


def _layers(
    replies: Mapping[CallId, Reply],
    used: Mapping[int, int],
    in_turn: Collection[int],
    beside: Collection[int],
) -> tuple[LayerMetrics, ...]:
    layers = []
    end_before = 0.0
    for number in sorted({call.layer for call in replies}):
        calls = [call for call in replies if call.layer == number]
        fresh = [call for call in calls if not replies[call].reused and replies[call].started is not None]
        begin = end_before if number in beside else 0.0
        taken = {call: max(0.0, replies[call].ended - max(replies[call].queued, begin)) for call in fresh}
        slowest = max(fresh, key=taken.__getitem__, default=None)
        counted = fresh if number in in_turn else [call for call in fresh if call == slowest]
        seconds = sum(taken[call] for call in counted)
        end_before = max((replies[call].ended for call in fresh), default=end_before)
        used_count = used.get(number, 0)
        layers.append(
            LayerMetrics(number, len(calls), used_count, slowest, seconds, in_turn=number in in_turn)
        )
    return tuple(layers)


def compare(
    final: str, proposers: Mapping[CallId, str], read: Sequence[CallId]
) -> tuple[tuple[Overlap, ...], float | None, float | None]:
    """The overlap of each proposer with the final text, the diversity of `read`, and the final's novelty.

    Diversity is None for fewer than two answers in `read`, novelty for a final text without n-grams.
    """
    final_words = words(final)
    all_words = {call: words(text) for call, text in proposers.items()}
    final_grams = ngrams(final_words)
    grams = {call: ngrams(text_words) for call, text_words in all_words.items()}
    vectors = {call: vector(text_words) for call, text_words in all_words.items()}
    final_vector = vector(final_words)
    overlap = tuple(
        Overlap(call, _share(final_grams, grams[call]), cosine(vectors[call], final_vector))
        for call in proposers
    )
    pairs = [cosine(vectors[first], vectors[second]) for first, second in combinations(read, 2)]
    diversity = 1.0 - sum(pairs) / len(pairs) if pairs else None
    novelty = 1.0 - _share(final_grams, set().union(*grams.values())) if final_grams else None
    return overlap, diversity, novelty


def ngrams(text_words: Sequence[str]) -> set[tuple[str, ...]]:
    """The 3-, 4- and 5-grams of the words, as a set."""
    return {
        tuple(text_words[start : start + size])
        for size in _NGRAM_SIZES
        for start in range(len(text_words) - size + 1)
    }


def _share(grams: set[tuple[str, ...]], others: set[tuple[str, ...]]) -> float:
    """The share of `grams` that are among `others` too."""
    return len(grams & others) / len(grams) if grams else 0.0
