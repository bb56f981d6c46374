"""What the attempts share with the tests of the commands."""

from tests.cli.conftest import shell

__all__ = ["shell"]
