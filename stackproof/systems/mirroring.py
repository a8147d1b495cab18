"""Two regions, each with a Kafka of its own, and MirrorMaker 2 between them.

MirrorMaker runs beside the first cluster and writes to the second over the connection that
has a region's delay. Topics keep their names behind the first region's (its default policy).
"""

from __future__ import annotations

from stackproof.actions import Crash, SlowClients
from stackproof.errors import PremiseNotMet, no_effect, step_missing
from stackproof.history import Flow
from stackproof.obtain import Cache
from stackproof.obtain.java import find_java
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes.environment import server_environment
from stackproof.processes.process import ManagedProcess
from stackproof.services import service
from stackproof.services.kafka import KafkaFixture
from stackproof.services.kafka.client import GroupConsumer, Message, TopicReader, TopicSpec
from stackproof.services.kafka.client.connection import bootstrap
from stackproof.services.kafka.known import VERSION
from stackproof.services.kafka.mirror import FAR, MIRROR
from stackproof.services.kafka.prepared import class_path
from stackproof.services.kafka.properties import logging_of
from stackproof.session.measuring import timed
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.texts import counted
from stackproof.workloads import Latencies

_TOPIC = Kept[str](
    "a topic that is mirrored",
    'a topic "orders" in the first region, whose first 100 messages have been deleted',
)
_MIRROR = Kept[ManagedProcess](
    "a mirror",
    'MirrorMaker copies the topic and the offsets of group "billing" to the second region',
)
_HERE, _THERE = "here", "there"
_JAVA = 17
_STARTS_WITHIN = 90.0
_NO_PAUSE = 0.0
_MIRRORED_WITHIN = 40.0
_ROUND_TRIPS = 5


class Regions:
    """The scenario's two clusters, and what is mirrored from the first to the second.

    Attributes:
        near: the cluster where messages are published.
        far: the one that they are mirrored to.
        received: what a consumer has received, here and there.
    """

    def __init__(self, session: ScenarioSession):
        self._session = session
        self.near = session.use(KafkaFixture)
        self.far = session.use(KafkaFixture, FAR)
        self._reader: TopicReader | None = None
        self.received: dict[str, list[str]] = {_HERE: [], _THERE: []}

    # -- the delay -----------------------------------------------------------
    def delay(self, milliseconds: int) -> float:
        """Delay all answers of the far cluster, and measure what comes of it.

        Returns:
            the shortest of some round trips, in seconds.
        """
        before = self._round_trip()
        for instance in self._session.endpoint(FAR).instances:
            self._session.act(FAR, instance, SlowClients(milliseconds))
        after = self._round_trip()
        self._session.figure(
            "round trip to the second region", f"{before * 1000:.0f} ms, then {after * 1000:.0f} ms"
        )
        return after

    def _round_trip(self) -> float:
        return min(timed(self.far.admin.list_topics) for _ in range(_ROUND_TRIPS))

    # -- the mirror ----------------------------------------------------------
    def prepare(self, topic: str, forgotten: int) -> None:
        """Create the topic, publish messages and delete them from its log.

        Offsets here and there differ by so many from then on: who takes one for the other
        is found out.
        """
        self._session.keep(_TOPIC, topic)
        self.near.create_topics([TopicSpec(topic, 1)])
        self.near.publish(topic, _messages("forgotten", forgotten))
        self.near.admin.delete_before(self.near.own(topic), {0: forgotten})

    def start(self, group: str) -> None:
        """Start MirrorMaker, and wait until the topic is there on the other side.

        Raises:
            DeadlineExceeded: it is not.
            Died: MirrorMaker has ended; with its log's end.
        """
        session = self._session
        jars = Cache().ensure(MIRROR, lambda said: session.history.event("note", said))
        properties = session.directory / "mirror.properties"
        properties.write_text(self._properties(group), encoding="utf-8")
        logging = session.directory / "mirror-log4j2.xml"
        logging.write_text(logging_of(VERSION).text, encoding="utf-8")
        java = str(find_java(at_least=_JAVA).launcher)
        process = ManagedProcess(
            "mirrormaker",
            [java, "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
             f"-Dlog4j2.configurationFile={logging}", "-cp", class_path(jars),
             "org.apache.kafka.connect.mirror.MirrorMaker", str(properties)],
            log=session.directory / "mirrormaker.log",
            cwd=session.directory,
            env=server_environment(),
            alone=True,
            run=session.run,
        )  # fmt: skip
        session.add_cleanup(process.kill)
        self._session.keep(_MIRROR, process)
        session.history.event("start", "mirrormaker starts")
        poll(
            lambda: self.mirrored in self.far.admin.list_topics(),
            within=session.scaled(_STARTS_WITHIN),
            awaiting=f"{self.mirrored} in the second region",
            alive=process.death,
        )

    @property
    def topic(self) -> str:
        """What is mirrored, as the scenario's text calls it; `PremiseNotMet`: nothing is."""
        return self._session.kept(_TOPIC)

    def _death(self) -> str | None:
        return self._session.kept(_MIRROR).death()

    @property
    def mirrored(self) -> str:
        """The topic's name on the other side."""
        return f"{_HERE}.{self.near.own(self.topic)}"

    def _properties(self, group: str) -> str:
        endpoint = self._session.endpoint
        settings: dict[str, object] = {
            "clusters": f"{_HERE}, {_THERE}",
            f"{_HERE}.bootstrap.servers": bootstrap(endpoint("kafka").addresses),
            f"{_THERE}.bootstrap.servers": bootstrap(endpoint(FAR).addresses),
            f"{_HERE}->{_THERE}.enabled": "true",
            f"{_THERE}->{_HERE}.enabled": "false",
            "topics": self.near.own(self.topic),
            "groups": self._session.own(group),
            "tasks.max": 1,
            "replication.factor": 1,
            "emit.heartbeats.enabled": "false",
            "sync.group.offsets.enabled": "true",
            "sync.group.offsets.interval.seconds": 1,
            "emit.checkpoints.interval.seconds": 1,
            "refresh.groups.interval.seconds": 1,
            "refresh.topics.interval.seconds": 5,
            # An offset is known on the other side as soon as its record is there.
            "offset.lag.max": 0,
            f"{_THERE}.offset.flush.interval.ms": 500,
            "consumer.auto.offset.reset": "earliest",
            "dedicated.mode.enable.internal.rest": "false",
        }
        for name in ("checkpoints.topic", "heartbeats.topic", "offset-syncs.topic",
                     "config.storage", "offset.storage", "status.storage"):  # fmt: skip
            settings[f"{name}.replication.factor"] = 1
        return "".join(f"{name} = {value}\n" for name, value in settings.items())

    # -- what is mirrored ----------------------------------------------------
    def publish(self, count: int) -> None:
        """Publish here.

        Raises:
            PremiseNotMet: not all were acknowledged.
        """
        begun = len(self._idents())
        sent = self.near.publish(self.topic, _messages("order", count, begun))
        if sent.ok != count:
            raise PremiseNotMet(f"published {counted(count, 'message')}: {sent}")

    def _idents(self) -> list[str]:
        snapshot = self._session.history.snapshot()
        every = [snapshot.idents[row] for row in snapshot.sends.ident]
        return [ident for ident in every if not ident.startswith("forgotten")]

    def await_mirrored(self, *, within: float) -> None:
        """Wait until everything is there, then check each record; the lag is reported.

        Lag: from the producer's time of a record to the other broker's time of its arrival.

        Raises:
            AssertionError: something is lost, doubled, changed or out of order.
        """
        if self._reader is None:
            self._reader = TopicReader(
                self.far.connection, self._session.history, self.mirrored, name="far observer"
            )
            self._session.add_cleanup(self._reader.close)
        reader, wanted = self._reader, len(self._idents())
        poll(
            lambda: len(reader.read()),
            until=lambda count: count >= wanted,
            within=self._session.scaled(within),
            awaiting=f"{counted(wanted, 'record')} in the second region",
            describe=lambda count: f"{counted(count, 'record')}",
            alive=self._death,
            first_pause=_NO_PAUSE,
            longest_pause=_NO_PAUSE,
        )
        reader.drain(within=self._session.scaled(within))
        self._session.assert_flow(self.flow())

    def flow(self) -> Flow:
        """Everything published here is there once, unchanged, in order."""
        return Flow("mirroring", self.near.own(self.topic), self.mirrored, "order",
                    content="bytes", order="offset")  # fmt: skip

    def mirror(self, count: int) -> dict[str, Latencies]:
        """Publish here, and wait until it is there; how long each took. See `await_mirrored`."""
        before = set(self._idents())
        self.publish(count)
        self.await_mirrored(within=_MIRRORED_WITHIN)
        return {"replication": self._lags(frozenset(self._idents()) - before)}

    def _lags(self, idents: frozenset[str]) -> Latencies:
        """From a record's making (its producer's time) to its arrival (the broker's)."""
        near = self.near.reader(self.near.own(self.topic)).drain(within=self._session.scaled(15))
        published = {record.ident: record.timestamp for record in near}
        there = self._reader.records if self._reader is not None else []
        there = [record for record in there if record.ident in idents]
        return Latencies((r.timestamp - published[r.ident]) / 1000 for r in there)

    # -- a consumer that moves -----------------------------------------------
    def consume_here(self, group: str, count: int) -> None:
        """A consumer of the group receives and commits so many here, and leaves."""
        consumer = self.near.join(self.topic, group)
        records = consumer.receive(count, within=self._session.scaled(15))
        consumer.close()
        self.received[_HERE] += [record.ident for record in records]

    def await_translated(self, group: str, *, within: float) -> tuple[int, int]:
        """Wait until the group's offset on the other side is that of the same record.

        Returns:
            the offset there, and what it should be.

        Raises:
            DeadlineExceeded: it stays behind.
        """
        own = self._session.own(group)
        topic = self.near.own(self.topic)
        committed = self.near.admin.committed(own, topic)
        if (topic, 0) not in committed:
            raise step_missing(
                f'a consumer of group "{group}" that has committed',
                f'a consumer of group "{group}" receives 300 messages in the first region '
                "and closes",
            )
        here = committed[topic, 0]
        beginning = self.near.admin.beginning_offsets(topic)[0]
        there = poll(
            lambda: self.far.admin.committed(own, self.mirrored).get((self.mirrored, 0), -1),
            until=lambda offset: offset >= here - beginning,
            within=self._session.scaled(within),
            awaiting=f"offset {here} of the group to be translated to {here - beginning}",
            describe=str,
            alive=self._death,
        )
        self._session.figure("offsets committed", f"{here} here, {there} in the second region")
        return there, here - beginning

    def consume_there(self, group: str) -> None:
        """A consumer of the group goes on in the second region until nothing is left."""
        consumer = GroupConsumer(
            self.far.connection, self._session.history, self.mirrored,
            group=self._session.own(group), name="consumer there",
        )  # fmt: skip
        self._session.add_cleanup(consumer.close)
        end = self.far.admin.end_offsets(self.mirrored)[0]

        def position() -> int:
            consumer.poll()
            return consumer.positions().get(0, -1)

        poll(
            position,
            until=lambda offset: offset >= end,
            within=self._session.scaled(20),
            awaiting=f"the consumer to reach the end, {end}, in the second region",
            first_pause=_NO_PAUSE,
            longest_pause=_NO_PAUSE,
        )
        self.received[_THERE] += [record.ident for record in consumer.records]

    def lose_here(self) -> None:
        """Kill the first region's brokers; a client finds that they are gone."""
        endpoint, kafka = self._session.endpoint("kafka"), service("kafka")
        for instance in endpoint.instances:
            self._session.act("kafka", instance, Crash())

        def answers() -> bool:
            try:
                kafka.check(endpoint, timeout=0.5)
            except kafka.unready:
                return False
            return True

        try:
            poll(answers, until=lambda up: not up, within=self._session.scaled(10),
                 awaiting="the first region to be gone")  # fmt: skip
        except DeadlineExceeded as late:
            raise no_effect("loss of the first region", late) from late
        self._session.history.event("fault", "the first region is lost")

    def missed(self) -> list[str]:
        """Messages that the consumer has received neither here nor there."""
        found = {*self.received[_HERE], *self.received[_THERE]}
        if not found:
            raise step_missing(
                "a consumer in the second region",
                'another consumer of group "billing" receives the rest in the second region',
            )
        return [ident for ident in self._idents() if ident not in found]

    def repeated(self) -> int:
        """How many it has received here and there."""
        twice = set(self.received[_HERE]) & set(self.received[_THERE])
        within = len(self.received[_THERE]) - len(set(self.received[_THERE]))
        self._session.figure("received in both regions", str(len(twice)))
        return len(twice) + within


def _messages(kind: str, count: int, begun: int = 0) -> list[Message]:
    return [
        Message(f"{kind}-{n:05d}".encode(), f"content of {kind} {n:05d}".encode(), label=kind)
        for n in range(begun + 1, begun + count + 1)
    ]
