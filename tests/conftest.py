"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stackproof import masking


@pytest.fixture(autouse=True)
def secrets_of_one_test_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test's short passwords must not be masked in what another one expects."""
    monkeypatch.setattr(masking, "_default", masking.Masker())
    yield
