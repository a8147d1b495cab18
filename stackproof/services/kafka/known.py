"""What server, probe and fixture of Kafka call the same."""

#: Of jars and image.
VERSION = "4.3.1"
LOG4J = "2.25.5"


def node_of(number: int) -> str:
    """The node that is the broker (and controller) with this ID."""
    return f"broker-{number}"


def number_of(node: str) -> int:
    """The ID of a node that `node_of` has named."""
    return int(node.rpartition("-")[2])
