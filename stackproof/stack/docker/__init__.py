"""The docker provider: services as containers, started by Compose, watched by the Docker SDK."""

from stackproof.stack.docker.provider import DockerProvider

__all__ = ["DockerProvider"]
