"""Which image a service runs from: named, official, or built here."""

from __future__ import annotations

import contextlib
import os
import threading

from stackproof.errors import Trouble
from stackproof.obtain import Say
from stackproof.services.base import Image
from stackproof.stack.docker.engine import Engine

#: Seconds for asking a registry whether it has an image; a pull itself may take its time.
_ASKS_FOR = 10.0
_NAME = "name one that is present by {variable}, or give the engine access to a registry"
_BUILD = "build it here with `make images`, " + _NAME


def wanted_name(image: Image) -> str:
    """The image that is to be used where it can be had."""
    return os.environ.get(image.variable) or image.official


class Images:
    """Images of one engine. Safe to use from several threads."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._chosen: dict[str, str] = {}
        self._given_up = False
        self._lock = threading.Lock()

    def give_up(self) -> None:
        """Pull nothing more: the run is ending."""
        self._given_up = True

    def chosen(self, image: Image) -> str:
        """What `obtain` has settled on; else what Compose would take."""
        return self._chosen.get(image.variable) or wanted_name(image)

    def obtain(self, image: Image, title: str, say: Say) -> str:
        """The name of an image that is present now; pulled if need be.

        The one that the variable names; else the official one, if it is present; else the one
        that was built here; else the official one, pulled.

        Raises:
            Trouble: there is none, and none can be pulled.
        """
        with self._lock:  # two services may share one image
            if image.variable not in self._chosen:
                self._chosen[image.variable] = self._obtain(image, title, say)
            return self._chosen[image.variable]

    def _obtain(self, image: Image, title: str, say: Say) -> str:
        named = os.environ.get(image.variable)
        wanted = wanted_name(image)
        if self.present(wanted):
            return wanted
        if not named and image.local and self.present(image.local):
            say(f"{title}: {image.local}, built here, is taken ({wanted} is not present)")
            return image.local
        refusal = self.refusal(wanted)
        try:
            self._pull(wanted, title, say)
        except Trouble as trouble:
            if refusal is None or self._given_up:
                raise
            raise self.missing(image, title, f"{refusal}; {trouble.why}") from trouble
        return wanted

    def missing(self, image: Image, title: str, refusal: str) -> Trouble:
        """It is not there and cannot be had."""
        named = os.environ.get(image.variable)
        return Trouble(
            f"{title} has no container image",
            f"{wanted_name(image)} is not present and cannot be pulled: {refusal}"
            + (f" ({image.variable} names it)" if named else ""),
            (_BUILD if image.local and not named else _NAME).format(variable=image.variable),
        )

    def at_hand(self, image: Image) -> str | None:
        """Which of its images is present, without asking any registry."""
        named = os.environ.get(image.variable)
        names = [named] if named else [image.official, image.local]
        return next((name for name in names if name and self.present(name)), None)

    def present(self, name: str) -> bool:
        """Whether the engine has it."""
        import docker.errors

        with contextlib.closing(self._engine.client()) as client:
            try:
                client.api.inspect_image(name)
            except (docker.errors.ImageNotFound, docker.errors.NullResource):
                return False
            return True

    def refusal(self, name: str) -> str | None:
        """Why it can probably not be pulled; None when a registry says that it has it.

        Not every engine that pulls can ask a registry (Podman; Docker with a mirror).
        """
        import docker.errors
        import requests.exceptions

        with contextlib.closing(self._engine.client(timeout=_ASKS_FOR)) as client:
            try:
                client.api.inspect_distribution(name)
            except docker.errors.APIError as error:
                return str(error.explanation or error).strip()
            except requests.exceptions.RequestException:
                return f"the registry does not answer within {_ASKS_FOR:g} s"
            return None

    def refused(self, name: str) -> str | None:
        """Why it cannot be pulled; None: it can, a registry has it or a pull that was begun shows.

        What a pull has fetched by then is left to the engine.
        """
        if (refusal := self.refusal(name)) is None:
            return None
        try:
            self._pull(name, name, lambda _: None, begin=True)
        except Trouble as trouble:
            return f"{refusal}; {trouble.why}"
        return None

    def _pull(self, name: str, title: str, say: Say, *, begin: bool = False) -> None:
        """Pull an image, or only begin to: until the first layer is seen."""
        import docker.errors
        import requests.exceptions

        say(f"{title}: pulling {name}")
        layers: dict[str, bool] = {}
        try:
            with contextlib.closing(self._engine.client()) as client:
                repository, _, tag = name.rpartition(":")
                if "/" in tag or not repository:
                    repository, tag = name, "latest"
                for line in client.api.pull(repository, tag=tag, stream=True, decode=True):
                    if self._given_up:
                        raise Trouble("obtaining images was given up", "the run is ending")
                    if "error" in line:
                        raise docker.errors.APIError(line["error"])
                    if "id" in line and "progressDetail" in line:
                        if begin:
                            return
                        done = line.get("status") in ("Pull complete", "Already exists")
                        if done and not layers.get(line["id"]):
                            layers[line["id"]] = True
                            say(f"{title}: {sum(layers.values())} of {len(layers)} layers")
                        layers.setdefault(line["id"], done)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise Trouble(
                f"{title}: {name} could not be pulled", str(error), "run again; or `make images`"
            ) from error
