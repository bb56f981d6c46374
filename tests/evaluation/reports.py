"""Reports to render."""

from __future__ import annotations

from moa_tui.evaluation.bootstrap import Estimate
from moa_tui.evaluation.report import Column, Plot, Point, Report, Table

HOSTILE = "<script>alert('x')</script>\x1b[31m\u202eevil\ud800"
WIDE = "混合モデル・東京 😀"
LONG = "together_ai/meta-llama/Llama-3.1-405B-Instruct-Turbo-2024-11"

RATES = Table(
    "Win rates against gpt-4",
    (
        "answers",
        Column("win rate", "share"),
        Column("length-controlled", "share"),
        Column("price", "money"),
        Column("time", "seconds"),
        Column("gain", "points"),
    ),
    (
        (
            "moa-lite",
            Estimate(0.531, 0.499, 0.556, 200),
            0.52,
            0.0123,
            14.2,
            Estimate(0.031, 0.004, 0.059, 200),
        ),
        (WIDE, Estimate(0.431, 0.399, 0.456, 200), None, 0.0, None, -0.00001),
        (LONG, 1.0, 0.0, None, float("nan"), -0.12),
        (HOSTILE, 0.5, 0.5, 1.5, 250.0, 0.0),
    ),
    note="95 % intervals.",
)


def points(count: int) -> tuple[Point, ...]:
    """Points over four decades of price."""
    return tuple(
        Point(
            f"model-{number}", 10.0 ** (-4 + 4 * number / max(1, count - 1)), rate, rate - 0.03, rate + 0.03
        )
        for number, rate in ((number, 0.3 + 0.4 * (number * 7 % 11) / 11) for number in range(count))
    )


def plot(*drawn: Point) -> Plot:
    """A plot as of the paper's figure 5."""
    return Plot(
        "Win rate against price",
        "price per answer",
        "win rate",
        drawn,
        log_x=True,
        front=True,
        x_kind="money",
    )


REPORT = Report(
    "Is it worth it?",
    "On these 200 prompts moa-lite beat its best member by 3.1 points (0.4 to 5.9) at 6.8 times the price.",
    (
        RATES,
        plot(*points(5), Point("local", 0.0, 0.2), Point(HOSTILE, 0.02, 0.4), Point("unpriced", None, 0.4)),
    ),
    {"judge": "gpt", "rates": {"moa-lite": Estimate(0.531, float("nan"), 0.556, 200)}, "rows": (1, None)},
)
