"""What server, client and probe of PostgreSQL call the same."""

PRIMARY = "primary"
#: The user and the database that every new server has.
USER, DATABASE = "postgres", "postgres"


def slot_of(replica: str) -> str:
    """What the primary calls a replica: its slot, and its connection."""
    return replica.replace("-", "_")
