"""MirrorMaker: what is obtained for it, and the cluster that it writes to."""

from __future__ import annotations

from stackproof.obtain import MavenArtifact
from stackproof.services.kafka.known import LOG4J, VERSION

#: The second cluster among a scenario's; see `needs(called=...)`.
FAR = "kafka far away"
MIRROR = MavenArtifact(
    key=f"kafka-mirror-{VERSION}",
    title=f"MirrorMaker {VERSION}",
    coordinates=(
        f"org.apache.kafka:connect-mirror:{VERSION}",
        f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J}",
        f"org.apache.logging.log4j:log4j-core:{LOG4J}",
    ),
)
