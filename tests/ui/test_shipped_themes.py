"""The shipped themes: Textual can use each, and each can be read."""

from __future__ import annotations

import itertools
import math
import tomllib
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

THEMES = {
    path.stem: Theme(**tomllib.loads(path.read_text(encoding="utf-8")))
    for path in sorted((Path(__file__).parents[2] / "themes").glob("*.toml"))
}
COLOURED = [name for name, theme in THEMES.items() if not theme.ansi]
STATES = ("success", "warning", "error", "primary")

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency"
# (IEEE Transactions on Visualization and Computer Graphics 15(6), 2009), severity 1.0; for linear RGB.
VISION = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def variables(name: str) -> dict[str, str]:
    """What CSS sees of a theme."""
    theme = THEMES[name]
    return {**theme.to_color_system().generate(), **theme.variables}


def linear(colour: Color) -> tuple[float, ...]:
    """sRGB without its transfer curve, 0 to 1."""
    shares = [channel / 255 for channel in colour.rgb]
    return tuple(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)


def dot(row: tuple[float, ...], column: tuple[float, ...]) -> float:
    return sum(one * other for one, other in zip(row, column, strict=True))


def contrast(text: str, ground: str, under: str = "") -> float:
    """The contrast ratio of WCAG 2 of a CSS colour (`#aabbcc`, `auto 60%`) on another, laid on `under`."""
    back = Color.parse(ground)
    if back.a < 1:
        back = Color.parse(under) + back
    word, _, percent = text.partition(" ")
    colour = back.get_contrast_text(1) if word == "auto" else Color.parse(word)
    if percent:
        colour = colour.multiply_alpha(float(percent.rstrip("%")) / 100)
    lights = [dot((0.2126, 0.7152, 0.0722), linear(one)) for one in (back + colour, back)]
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def lab(rgb: tuple[float, ...]) -> tuple[float, float, float]:
    """CIE L*a*b* of linear sRGB, white point D65."""
    rows = (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
    white = (0.95047, 1.0, 1.08883)
    x, y, z = (dot(row, rgb) / of for row, of in zip(rows, white, strict=True))
    x, y, z = (
        share ** (1 / 3) if share > (6 / 29) ** 3 else share / (3 * (6 / 29) ** 2) + 4 / 29
        for share in (x, y, z)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def test_there_are_eight_themes_and_each_pair_is_whole() -> None:
    assert set(THEMES) == {
        *("moa-dark", "moa-light", "kauri-dark", "kauri-light", "contrast-dark", "contrast-light"),
        *("colour-safe", "terminal"),
    }
    for name, theme in THEMES.items():
        if name.endswith(("-dark", "-light")):
            assert theme.dark == name.endswith("-dark"), name


def test_the_two_of_a_pair_set_the_same_things() -> None:
    for name in ("moa", "kauri", "contrast"):
        dark, light = (vars(THEMES[f"{name}-{side}"]) for side in ("dark", "light"))
        assert [key for key in dark if dark[key] is None] == [key for key in light if light[key] is None]


@pytest.mark.parametrize("name", THEMES)
def test_a_theme_is_named_as_its_file_and_makes_a_whole_colour_system(name: str) -> None:
    assert THEMES[name].name == name
    assert variables(name)["text-primary"]


@pytest.mark.parametrize("name", COLOURED)
def test_text_can_be_read_on_every_ground(name: str) -> None:
    least = 7 if name.startswith("contrast") else 4.5
    found = variables(name)
    texts = ["foreground", "text", "text-muted", "foreground-muted", "text-secondary", "text-accent"]
    texts += [f"text-{state}" for state in STATES]
    pairs = [(text, ground) for text in texts for ground in ("background", "surface", "panel")]
    pairs += [
        ("block-cursor-foreground", "block-cursor-background"),
        ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
        ("footer-key-foreground", "footer-background"),
        ("footer-description-foreground", "footer-background"),
        ("input-cursor-foreground", "input-cursor-background"),
        ("input-selection-foreground", "input-selection-background"),
        ("button-foreground", "surface"),
    ]
    poor = {
        pair: round(ratio, 2)
        for pair in pairs
        if (ratio := contrast(found[pair[0]], found[pair[1]], found["surface"])) < least
    }
    assert not poor


@pytest.mark.parametrize("name", COLOURED)
def test_labels_can_be_read_on_the_ground_of_their_own_colour(name: str) -> None:
    least = 7 if name.startswith("contrast") else 4.5
    found = variables(name)
    poor = {
        state: round(ratio, 2)
        for state in STATES
        if (ratio := contrast(found[f"text-{state}"], found[f"{state}-muted"])) < least
    }
    assert not poor


@pytest.mark.parametrize("name", COLOURED)
def test_the_border_of_the_focus_is_seen(name: str) -> None:
    found = variables(name)
    for ground in ("background", "surface", "panel"):
        assert contrast(found["border"], found[ground]) >= 3, ground


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("prefix", ["", "text-"])
def test_the_states_of_the_colour_safe_theme_differ_for_everyone(vision: str, prefix: str) -> None:
    """A distance of 25 in CIE L*a*b* (1976) is far more than the 2 or 3 that can just be told apart."""
    found = variables("colour-safe")
    seen = {}
    for state in STATES:
        rgb = linear(Color.parse(found[prefix + state]))
        seen[state] = lab(tuple(min(1, max(0, dot(row, rgb))) for row in VISION[vision]))
    near = {
        (one, other): round(distance)
        for one, other in itertools.combinations(STATES, 2)
        if (distance := math.dist(seen[one], seen[other])) < 25
    }
    assert not near


def test_the_terminal_theme_leaves_every_colour_to_the_terminal() -> None:
    theme = THEMES["terminal"]
    colours = [getattr(theme, field) for field in ("primary", "secondary", "accent", *STATES)]
    assert all(colour.startswith("ansi_") for colour in colours)
    assert not [name for name, value in variables("terminal").items() if "#" in value]
