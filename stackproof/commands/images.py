"""``stackproof images``: build container images from package registries."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stackproof.errors import EXIT_PASSED, Trouble
from stackproof.obtain import Cache
from stackproof.session.running.progress import Progress


def images(names: Sequence[str]) -> int:
    """Build the images of the named services, or all.

    Raises:
        Trouble: one of them could not be built.
    """
    from stackproof.stack.docker.building import build, recipes
    from stackproof.stack.docker.engine import find_engine

    known = {recipe.name: recipe for recipe in recipes()}
    for name in names:
        if name not in known:
            raise Trouble(
                f"there is no recipe for an image of {name!r}",
                f"there are recipes for: {', '.join(known)}",
                "correct the name",
            )
    engine = find_engine()
    progress = Progress(sys.stderr)
    cache = Cache()
    for name in names or known:
        with progress.doing(f"{name}: building {known[name].tag}"):
            build(known[name], engine, cache, progress.say)
        print(known[name].tag)
    return EXIT_PASSED
