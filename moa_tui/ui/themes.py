"""Themes are TOML files whose keys are the fields of Textual's Theme: the shipped ones and the user's own."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from textual.color import Color, ColorParseError
from textual.css.constants import VALID_STYLE_FLAGS
from textual.theme import Theme

import moa_tui
from moa_tui.errors import FileError
from moa_tui.settings import toml_file
from moa_tui.text.safe import without_controls


def _checked_colour(value: str) -> str:
    if not _is_colour(value):
        raise ValueError(f'"{value}" is not a colour; write #rrggbb, a name such as "teal", or ansi_green')
    return value


# Variables that Textual's own CSS or ours may use and that Textual gives every theme but the ANSI ones.
_ANSI_DEFAULTS = {
    "ansi-background": "ansi_default",
    "ansi-foreground": "ansi_default",
    "foreground-disabled": "ansi_default 50%",
    "surface-active": "transparent",
}

# What lines and other parts without text must have at least, by the same guidelines (1.4.11).
_LINE_CONTRAST = 3.0

Colour = Annotated[str, AfterValidator(_checked_colour)]
Share = Annotated[float, Field(ge=0, le=1)]


class ThemeFile(BaseModel):
    """A theme as it stands in its file; what a field means is said at Textual's Theme."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    primary: Colour
    secondary: Colour | None = None
    warning: Colour | None = None
    error: Colour | None = None
    success: Colour | None = None
    accent: Colour | None = None
    foreground: Colour | None = None
    background: Colour | None = None
    surface: Colour | None = None
    panel: Colour | None = None
    boost: Colour | None = None
    dark: bool = True
    luminosity_spread: Share = 0.15
    text_alpha: Share = 0.95
    variables: dict[str, str] = {}
    ansi: bool = False

    @field_validator("name")
    @classmethod
    def _a_plain_word(cls, name: str) -> str:
        """Textual makes a CSS class of it."""
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(f'"{name}" may hold only letters a-z, digits, - and _')
        return name

    @field_validator("variables")
    @classmethod
    def _usable(cls, variables: dict[str, str]) -> dict[str, str]:
        """A wrong value would stop the program with a CSS error when the theme is chosen."""
        defaults = Theme("", "red", ansi=True).to_color_system().generate()
        defaults |= Theme("", "red").to_color_system().generate()
        for name, value in variables.items():
            if name not in defaults:
                near = difflib.get_close_matches(name, defaults, n=1)
                hint = f'; did you mean "{near[0]}"?' if near else ""
                raise ValueError(f'"{name}" is not a variable of Textual\'s{hint}')
            if name.endswith("-style") or name.startswith("link-style"):
                if not value or not set(value.split()) <= VALID_STYLE_FLAGS:
                    raise ValueError(f'{name}: "{value}" is not a text style such as "bold underline"')
            elif not _is_css_colour(value, defaults[name]):
                raise ValueError(f'{name}: "{value}" is not a colour')
        return variables

    def theme(self) -> Theme:
        """The theme for Textual. Raises ColorParseError where a colour cannot stand where it was put."""
        theme = Theme(**self.model_dump())
        if theme.ansi:
            theme.variables = _ANSI_DEFAULTS | theme.variables
        else:
            theme.variables = _visible_lines(theme) | theme.variables
        theme.to_color_system().generate()
        return theme


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of two colours by the Web Content Accessibility Guidelines 2.2, from 1 to 21."""
    lights = sorted(_luminance(colour) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: Color) -> float:
    shares = [channel / 255 for channel in colour.rgb]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _visible_lines(theme: Theme) -> dict[str, str]:
    """Colours for frames without the focus and for scrollbars, which are hardly seen in Textual's own."""
    found = theme.to_color_system().generate()
    grounds = [Color.parse(found[name]) for name in ("background", "surface", "panel")]
    foreground = Color.parse(found["foreground"])
    colour = foreground
    for percent in range(95, 0, -5):
        fainter = grounds[1].blend(foreground, percent / 100)
        if min(contrast(fainter, ground) for ground in grounds) < _LINE_CONTRAST:
            break
        colour = fainter
    return {
        "border-blurred": colour.hex,
        "scrollbar": colour.hex,
        "scrollbar-hover": foreground.hex,
        **dict.fromkeys(
            ("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active"),
            found["surface"],
        ),
    }


def shipped_dir() -> Path:
    """The themes that come with the program: inside the wheel, or at the top of a checkout."""
    package = Path(moa_tui.__file__).parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def load(*folders: Path, name: str | None = None) -> tuple[dict[str, Theme], list[str]]:
    """The themes of all folders by name, and a sentence for each thing wrong with a file.

    With `name`, the theme of that name alone. A theme of a later folder replaces one of the same name. A file
    that is wrong is left out, so a theme it would have replaced stays.
    """
    themes: dict[str, Theme] = {}
    problems: list[str] = []
    for folder in folders:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{folder}: cannot be read: {error.strerror or error}")
            continue
        for path in files:
            if name is not None and path.stem != name:
                continue
            try:
                theme = _read(path)
            except FileError as error:
                problems += str(error).splitlines()
            else:
                themes[theme.name] = theme
    return themes, [without_controls(problem) for problem in problems]


def _read(path: Path) -> Theme:
    if not path.is_file():  # Opening a named pipe would wait for ever.
        raise FileError(f"{path}: is not a file")
    try:
        theme = toml_file.read(path, ThemeFile).theme()
    except ColorParseError as error:
        raise FileError(f"{path}: variables: {error}") from error
    except (RecursionError, ValueError) as error:  # Nested too deep, or a number too long, for tomllib.
        raise FileError(f"{path}: not valid TOML: {error}") from error
    if theme.name != path.stem:
        raise FileError(f'{path}: name: is "{theme.name}", but the file is called "{path.stem}"')
    return theme


def _is_colour(text: str) -> bool:
    try:
        Color.parse(text)
    except ColorParseError:
        return False
    return text == text.strip()


def _is_css_colour(text: str, default: str) -> bool:
    """Whether `text` is a colour in CSS, such as `#fff` or `ansi_default 50%`.

    `auto` and `initial` are not colours everywhere, so they count only where they are the default.
    """
    colour = re.sub(r"\s+\d{1,3}(\.\d+)?%\Z", "", text)
    return _is_colour(colour) or (colour in ("auto", "initial") and default.startswith(colour))
