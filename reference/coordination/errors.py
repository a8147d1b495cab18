"""What a client of a lock may be told."""


class NotAcquiredError(Exception):
    """Somebody else has held the lock all the time."""


class StaleTokenError(Exception):
    """Whoever writes does not hold the lock any more."""
