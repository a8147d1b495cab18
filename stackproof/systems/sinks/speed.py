"""How much faster a sink is that sends many events at once."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from stackproof.errors import NotSupported
from stackproof.systems.sinks.ends import RedisStream
from stackproof.systems.sinks.sink import EventSink

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

#: What somebody has claimed of pipelines: so many times as fast.
_CLAIMED = 82
_WITHIN, _PATIENCE, _PINGS = 60.0, 120.0, 500


class SinkSpeed:
    """One sink that sends events one by one, and one that sends many at once.

    Both have all events in their buffers before their server, which is held back until then,
    answers: what is measured is the sending alone, by the server's clock.

    Args:
        session: the scenario.
        name: of the sink's section in ``stackproof.toml``.
    """

    def __init__(self, session: ScenarioSession, name: str):
        self._session, self._name = session, name

    def measure(self, count: int, batch: int, times: int) -> float:
        """Send so many events in both ways, in turn; how many times as fast many at once are.

        Args:
            count: events.
            batch: sent at once.
            times: in each way, after a first one that does not count.

        Raises:
            NotSupported: nobody can hold back its server, or it sends one by one only.
        """
        took: dict[int, list[float]] = {1: [], batch: []}
        sinks = {size: EventSink(self._session, self._name) for size in took}
        for size, sink in sinks.items():
            sink.run(gated=False, batch=size, patience=_PATIENCE)
        for number in range(times + 1):
            for size, sink in sinks.items():
                seconds = self._round(sink, count)
                took[size] += [seconds] if number else []
        end = _stream(sinks[1])
        single, at_once = (statistics.median(took[size]) / count for size in (1, batch))
        self._tell(single, at_once, batch, end.round_trip(_PINGS))
        return single / at_once

    def _round(self, sink: EventSink, count: int) -> float:
        end = _stream(sink)
        end.hold()
        sink.hand_unrecorded(count)
        return max(end.let_go(count, self._session.scaled(_WITHIN)), 0.001)

    def _tell(self, single: float, at_once: float, batch: int, round_trip: float) -> None:
        tell = self._session.figure
        tell("one by one", f"{1 / single:.0f} events/s")
        tell(f"{batch} at once", f"{1 / at_once:.0f} events/s")
        tell("at once against one by one", f"{single / at_once:.1f} times as fast")
        tell("round trip", f"{round_trip * 1e6:.0f} microseconds")
        tell(f"for {_CLAIMED} times as fast", needed(single, at_once, batch, round_trip, _CLAIMED))


def needed(single: float, at_once: float, batch: int, round_trip: float, factor: float) -> str:
    """The round-trip time at which sending at once would be so many times as fast.

    One by one each event takes a round trip and what is done for it; at once a batch takes one.

    Args:
        single, at_once: what an event takes now, in seconds.
        batch: events at once.
        round_trip: seconds, now.
        factor: how many times as fast.
    """
    if batch <= factor:
        return f"never: {batch} at once save at most {batch - 1} of {batch} round trips"
    besides, besides_at_once = max(single - round_trip, 0), max(at_once - round_trip / batch, 0)
    seconds = (factor * besides_at_once - besides) / (1 - factor / batch)
    if seconds <= round_trip:
        return "it is"
    return f"the round trip would have to take {seconds * 1000:.2f} ms"


def _stream(sink: EventSink) -> RedisStream:
    if not isinstance(sink.end, RedisStream):
        raise NotSupported(f"nobody can hold back the server of a {sink.end.noun}")
    return sink.end
