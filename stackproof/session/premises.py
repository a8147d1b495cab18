"""What a scenario presumes of its own doing; said by steps next to what they assert."""

from __future__ import annotations

from typing import Any

from hamcrest import assert_that

from stackproof.errors import PremiseNotMet


def presume(actual: Any, matcher: Any, what: str) -> None:
    """Go on only if a value is as the scenario presumes; like hamcrest's `assert_that`.

    Args:
        actual: the value.
        matcher: a matcher of hamcrest's.
        what: what the value is, for people.

    Raises:
        PremiseNotMet: it is not; nothing is said of the system under test.
    """
    try:
        assert_that(actual, matcher)
    except AssertionError as error:
        told = "; ".join(line.strip() for line in str(error).strip().splitlines())
        raise PremiseNotMet(
            f"{what}: {told[0].lower()}{told[1:]}",
            "the scenario presumes it, so that nothing was put to the proof",
            "correct the scenario, or what it is run on",
        ) from None
