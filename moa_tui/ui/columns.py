"""Text cut and padded to columns of terminal cells."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` on one line, exactly `width` cells wide; what is cut off is marked by an ellipsis."""
    text = text.replace("\n", " ").replace("\t", " ")
    if width <= 0:
        return ""
    if (size := cell_len(text)) > width:
        return set_cell_size(set_cell_size(text, width - 1) + "…", width)
    return " " * (width - size) + text if right else text + " " * (width - size)
