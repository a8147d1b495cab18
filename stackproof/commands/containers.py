"""What ``stackproof doctor`` says of the container engine, Compose and images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from stackproof.errors import Trouble
from stackproof.services import service, service_names
from stackproof.settings import Settings


def container_checks(settings: Settings) -> dict[str, Callable[[], str]]:
    """The checks by title; each raises Trouble when a service is to run in containers and cannot.

    Where nobody asks for containers, not having them is no fault.
    """
    asked = [name for name in service_names() if settings.provider_of(name)[0] == "docker"]
    return {"containers": partial(_engine, bool(asked)), "images": partial(_images, asked)}


def containers_usable() -> bool:
    """Whether services could run in containers here."""
    from stackproof.stack.docker.compose import usable
    from stackproof.stack.docker.engine import find_engine

    try:
        find_engine()
    except Trouble:
        return False
    return usable()


def _engine(required: bool) -> str:
    from stackproof.stack.docker.compose import find_compose
    from stackproof.stack.docker.engine import find_engine

    try:
        engine = find_engine()
        command, version = find_compose()
    except Trouble as trouble:
        if required:
            raise
        return f"{trouble.what} ({trouble.why.splitlines()[0]}); services run as native processes"
    return f"Docker engine {engine.version} ({engine.host}), {' '.join(command)} {version}"


def _images(asked: list[str]) -> str:
    from stackproof.stack.docker.engine import find_engine

    try:
        engine = find_engine()
    except Trouble:
        return "no engine to ask"
    from stackproof.stack.docker.images import Images, wanted_name

    images = Images(engine)

    def texts() -> Iterator[str]:
        for name in service_names():
            for image in service(name).images():
                found = images.at_hand(image)
                if found is None and name in asked:
                    refusal = images.refused(wanted_name(image))
                    if refusal is not None:
                        raise images.missing(image, service(name).title, refusal)
                yield f"{name}: {found or 'to be pulled or built (make images)'}"

    return "; ".join(texts())
