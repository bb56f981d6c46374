"""What the attempts share with the tests of the commands."""

from tests.cli.conftest import shell, warm

__all__ = ["shell", "warm"]
