"""behave's hooks; ``environment.py`` imports them.

People with an ``environment.py`` of their own call these from their hooks.
"""

from __future__ import annotations

from typing import Any

from stackproof.errors import Trouble


def before_scenario(context: Any, scenario: Any) -> None:
    """Give the steps their session as ``context.session``."""
    session = getattr(context._runner, "session", None)
    if session is None:
        raise Trouble(
            "this runner starts no services",
            "the features need Stackproof's own runner class",
            "run `behave` from the project's directory without -r, or `stackproof run`",
        )
    context.session = session
    session.begin()


def after_scenario(context: Any, scenario: Any) -> None:
    """Do all clean-ups of the scenario."""
    session = getattr(context, "session", None)
    if session is not None:
        session.end()
