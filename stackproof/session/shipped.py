"""The steps that are shipped with the suite, for projects outside of its repository.

In the repository they lie in ``steps/``; a wheel has them as the package ``stackproof_steps``.
A project loads them by one module of its own ``steps/``::

    from stackproof.session.shipped import load_steps

    load_steps()
"""

from __future__ import annotations

import importlib
from pathlib import Path

from stackproof.errors import Trouble

PACKAGE = "stackproof_steps"


def load_steps() -> list[str]:
    """Define every shipped step; returns the areas, e.g. ``["messaging", "pipelines"]``.

    Raises:
        Trouble: the suite was installed without its steps.
    """
    # Found by name: steps call the suite, and the suite knows none of them.
    try:
        package = importlib.import_module(PACKAGE)
    except ModuleNotFoundError:
        raise Trouble(
            "the suite's steps are not installed",
            f"there is no package {PACKAGE}",
            "install the suite again: pip install --force-reinstall stackproof",
        ) from None
    areas = sorted(
        {file.stem for place in package.__path__ for file in Path(place).glob("*.py")}
        - {"__init__"}
    )
    for area in areas:
        importlib.import_module(f"{PACKAGE}.{area}")
    return areas
