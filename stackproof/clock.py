"""Whether this machine's clock can be right."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from stackproof.errors import Trouble

#: No run can be earlier than this suite itself; raised with each release.
RELEASED = datetime(2026, 11, 1, tzinfo=UTC)


def check_clock() -> None:
    """A clock in the past breaks what goes by time: certificates, retention, expiry.

    Raises:
        Trouble: it shows a time before this suite was released.
    """
    now = datetime.fromtimestamp(time.time(), UTC)
    if now < RELEASED:
        raise Trouble(
            "the clock of this machine is wrong",
            f"it shows {now:%Y-%m-%d %H:%M} UTC, but this suite was released on "
            f"{RELEASED:%Y-%m-%d}; certificates, retention and expiry go by the clock",
            "set the clock (timedatectl, chronyc makestep), then run again",
        )
