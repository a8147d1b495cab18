"""The commands' tests use runs of their own, like those of the stack."""

from tests.stack.conftest import pytest_configure, runs

__all__ = ["pytest_configure", "runs"]
