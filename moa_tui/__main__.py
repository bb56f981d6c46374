"""Lets `python -m moa_tui` stand for the `moa-tui` command."""

from moa_tui.cli import main

if __name__ == "__main__":
    main()
