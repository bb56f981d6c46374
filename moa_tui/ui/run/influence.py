"""Rows that show how much of the final answer's wording stands in each proposer's answer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from moa_tui.text.cells import fit
from moa_tui.text.safe import without_controls
from moa_tui.ui.rows.text_rows import HEADING, MUTED, Row, prefixed, wrap
from moa_tui.ui.run.timeline import call_label

if TYPE_CHECKING:
    from moa_tui.engine.values import CallId, Overlap
    from moa_tui.ui.run.run_view import RunView

NOT_CAUSE = (
    "This is overlap of wording, not cause: it does not tell whose answer was read. On 805 real prompts a "
    "final answer shared as much with strong models that its writer never saw as with those it had read, and "
    "an idea put into other words does not show here at all."
)
_FULL, _EMPTY = "█", "·"
_FIGURES = "  100 %  cosine 0.00"
_NAME_CELLS = 10


def influence_rows(run: RunView, width: int) -> list[Row]:
    """The run's overlap, diversity and novelty in rows of `width` cells at most, or why there are none."""
    if (reason := why_no_overlap(run)) is not None or run.outcome is None:
        return wrap(Content(reason or ""), width)
    metrics = run.outcome.metrics
    by_share = sorted(metrics.overlap, key=lambda overlap: overlap.ngram_share, reverse=True)
    labels = [without_controls(call_label(run.view(overlap.call))) for overlap in by_share]
    label_cells = max(_NAME_CELLS, min(max(map(cell_len, labels)), width // 3))
    bar_cells = max(4, min(50, width - label_cells - 1 - len(_FIGURES)))
    rows = wrap(Content("What each answer shares with the final one").stylize(HEADING), width)
    rows += [
        Row(_bar(overlap, label, label_cells, bar_cells))
        for overlap, label in zip(by_share, labels, strict=True)
    ]
    rows += _not_passed_on_rows(run, {overlap.call for overlap in metrics.overlap}, width)
    meanings = (
        ("bar", "the share of the final answer's phrases of 3 to 5 words that stand in this answer too"),
        ("cosine", "how alike the two texts' words are, rare words weighing more: 0 nothing, 1 the same"),
    )
    rows += [Row(Content()), *wrap(Content(NOT_CAUSE).stylize("italic"), width), Row(Content())]
    for name, meaning in meanings:
        rows += _explained(name, meaning, width)
    rows += [Row(Content()), *wrap(Content("All answers together").stylize(HEADING), width)]
    if metrics.diversity is not None:
        words = "how differently the answers the last agent read are worded: 0 all alike, 1 nothing shared"
        rows += _explained(f"diversity {metrics.diversity:.2f}", words, width)
    else:
        rows += _explained("diversity", "the last agent read one answer only", width)
    if metrics.novelty is not None:
        words = "the share of the final answer's phrases that stand in no other agent's answer"
        rows += _explained(f"novelty {percent(metrics.novelty)}", words, width)
    else:
        rows += _explained("novelty", "the final answer is too short to hold a phrase", width)
    return rows


def percent(share: float) -> str:
    """A share from 0 to 1 in per cent, as `41 %`."""
    return f"{share * 100:.0f} %"


def why_no_overlap(run: RunView) -> str | None:
    """A sentence on why there is no overlap to show; None where there is one."""
    if run.recipe.calls == 1:
        return "This recipe has one agent: there is no other answer to share words with."
    if run.outcome is None:
        return "The run is still going: the final answer is compared with the others once it is whole."
    if not run.outcome.metrics.overlap:
        return "The run came to no final answer, so there is nothing to compare the agents' answers with."
    return None


def _bar(overlap: Overlap, label: str, label_cells: int, bar_cells: int) -> Content:
    """One answer's label, bar, share and cosine. A share above zero has at least one full cell."""
    full_cells = round(overlap.ngram_share * bar_cells)
    if overlap.ngram_share > 0:
        full_cells = max(1, full_cells)
    return Content.assemble(
        fit(label, label_cells),
        " ",
        (_FULL * full_cells, "$text-primary"),
        (_EMPTY * (bar_cells - full_cells), MUTED),
        f"  {percent(overlap.ngram_share):>5}",
        (f"  cosine {overlap.cosine:.2f}", MUTED),
    )


def _not_passed_on_rows(run: RunView, passed_on: set[CallId], width: int) -> list[Row]:
    """Rows that name the agents before the last layer whose answers were not passed on."""
    not_passed_on = [view for layer in run.layers[:-1] for view in layer if view.call not in passed_on]
    if not not_passed_on:
        return []
    names = ", ".join(f"{without_controls(call_label(view))} {view.state_words}" for view in not_passed_on)
    return wrap(Content(f"Not passed on: {names}").stylize(MUTED), width)


def _explained(name: str, meaning: str, width: int) -> list[Row]:
    """A figure's name, and its meaning in rows behind it."""
    first = Content.assemble((name, "bold"), "  ")
    return prefixed(wrap(Content(meaning), max(10, width - len(first))), first)
