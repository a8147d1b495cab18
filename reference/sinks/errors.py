"""What a sink tells whoever uses it."""


class SinkError(Exception):
    """A sink cannot do what it was asked for."""


class BufferFullError(SinkError):
    """The event was not taken: the buffer is full, and its strategy is to say so."""


class SinkStoppedError(SinkError):
    """The event was not taken: the sink has not been started, or was stopped."""


class NotDeliveredError(SinkError):
    """Events are still in the buffer, for their server takes none."""


class InvalidURLError(SinkError, ValueError):
    """The URL of a server cannot be used."""
