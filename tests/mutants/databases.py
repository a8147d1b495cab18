"""A broken database, cache or queue, or a broken way to break one: no feature may believe it.

The control and each broken one are run against the scenario that must catch it; the outcome goes
to ``docs/databases.md``.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from typing import Any

from tests.mutants.alone import Kind
from tests.mutants.clients import Broken
from tests.mutants.mutant import ROOT

PLACE = ROOT / "reports" / "databases"
_WITHIN = Path(__file__).parent / "within"
VARIABLE = "STACKPROOF_BROKEN_DATABASE"


def _health_hides_lag() -> None:
    """The primary says of every replica that it is not behind."""
    from stackproof.services.postgresql.probe import PostgreSQLProbe

    health = PostgreSQLProbe.health

    def lying(self: Any, *node: str, **how: Any) -> Any:
        found = health(self, *node, **how)
        prompt = {n: replace(one, behind=0, lag=0.0) for n, one in found.replicas.items()}
        return replace(found, replicas=prompt)

    PostgreSQLProbe.health = lying  # type: ignore[method-assign]


def _lag_is_what_was_last_said() -> None:
    """The lag is the last one that the replica was heard of with, however long ago."""
    from stackproof.services.postgresql import probe

    before = probe._HEALTH
    probe._HEALTH = before.replace("greatest(replay_lag, clock_timestamp() - reply_time)",
                                   "coalesce(replay_lag, '0'::interval)")  # fmt: skip
    assert before != probe._HEALTH


def _replicas_are_late() -> None:
    """Replicas apply 1.2 seconds later what they receive at once."""
    _set("recovery_min_apply_delay", "1200ms")


def _set(key: str, value: str) -> None:
    from stackproof.services.postgresql import server

    settings = server._settings
    server._settings = lambda options: settings(options) | {key: value}


def _synchronous_in_name_only() -> None:
    """No commit waits for a replica, whatever was asked for."""
    from stackproof.services.postgresql.server import PostgreSQL

    form = PostgreSQL.form

    def forming(self: Any, endpoint: Any, *, within: float) -> None:
        form(self, replace(endpoint, options={**endpoint.options, "synchronous": 0}), within=within)

    PostgreSQL.form = forming  # type: ignore[method-assign]


def _waits_in_name_only() -> None:
    """Patroni has commits wait for a replica, and this client's do not."""
    from stackproof.services.postgresql.replication import Replication

    opening = Replication._open

    def hasty(self: Any, node: str) -> Any:
        made = opening(self, node)
        with made.cursor() as cursor:
            cursor.execute("SET synchronous_commit = local")
        return made

    Replication._open = hasty  # type: ignore[method-assign]


def _never_comes_back() -> None:
    """A primary that has rows which nobody else has does not become a replica."""
    from stackproof.services.postgresql import server

    nodes, key = server.managed_nodes, '"remove_data_directory_on_diverged_timelines": '

    def stubborn(*given: Any, **how: Any) -> Any:
        return [
            replace(node, files={name: text.replace(f"{key}true", f"{key}false")
                                 for name, text in node.files.items()})
            for node in nodes(*given, **how)
        ]  # fmt: skip

    server.managed_nodes = stubborn


def _never_steps_down() -> None:
    """A primary that is cut off from etcd goes on as one beside the next."""
    from stackproof.actions import Signal
    from stackproof.faults.peers import PeerCut

    inject = PeerCut._inject

    def headless(self: Any) -> None:
        self._act(Signal("SIGUSR1"))
        inject(self)

    PeerCut._inject = headless  # type: ignore[method-assign]


def _keeps_everything() -> None:
    """For a replica that is away everything is kept, until the disk is full."""
    _set("max_slot_wal_keep_size", "-1")


def _rolls_back() -> None:
    """Every fiftieth row is confirmed, and gone."""
    from stackproof.services.postgresql.replication import Replication

    insert, numbers = Replication._insert, itertools.count(1)

    def inserting(self: Any, writer: Any, *size: int) -> int:
        number = insert(self, writer, *size)
        if next(numbers) % 50 == 0:
            with writer.cursor() as cursor:
                cursor.execute("DELETE FROM written WHERE number = %s", [number])
        return number

    Replication._insert = inserting  # type: ignore[method-assign]


def _pause_holds_one_process() -> None:
    """Of a server that is paused the first process stands still, and the others go on."""
    from stackproof.processes.process import ManagedProcess

    ManagedProcess.pause = lambda self: self.send(signal.SIGSTOP)  # type: ignore[method-assign]


def _nothing_is(action: str) -> Callable[[], None]:
    """What breaks or heals clients' connections claims to do what it does not do."""

    def apply() -> None:
        from stackproof.stack.harm.native import NativeMeans

        act = NativeMeans.act

        def pretending(self: Any, instance: str, asked: Any) -> Any:
            return None if type(asked).__name__ == action else act(self, instance, asked)

        NativeMeans.act = pretending  # type: ignore[method-assign]

    apply.__doc__ = f"{action} does nothing, and says that it is done."
    return apply


def _probe_always_says_yes() -> None:
    """The probe of Redis finds that every node answers."""
    from stackproof.services.redis.probe import RedisProbe

    RedisProbe.answers = lambda *_: None  # type: ignore[method-assign]


def _peers_always_seen() -> None:
    """The probe of PostgreSQL finds every replica among those that follow."""
    from stackproof.services.postgresql.probe import PostgreSQLProbe

    PostgreSQLProbe.seen_by_peers = lambda *_: None  # type: ignore[method-assign]


def _messages_are_transient() -> None:
    """What is published to RabbitMQ is not marked as persistent."""
    from stackproof.services.rabbitmq import writer

    assert writer.PERSISTENT == 2
    writer.PERSISTENT = 1


def _memory_is_a_disk() -> None:
    """Redis writes down what it was to keep in memory alone."""
    from stackproof.services.redis.server import Redis

    Redis.options = {**Redis.options, "config": (("appendonly", "yes"),)}


def _commits_are_not_synced() -> None:
    """PostgreSQL confirms a commit, and leaves the time of its sync to itself."""
    _set("synchronous_commit", "off")


def _log_is_not_synced() -> None:
    """Redis leaves it to the kernel when its log comes onto the disk, whatever was asked for."""
    from stackproof.services.redis.server import Redis

    nodes = Redis.nodes

    def lazy(self: Any, where: Any) -> Any:
        return [replace(one, files={name: text.replace("always", "no")
                                    for name, text in one.files.items()})
                for one in nodes(self, where)]  # fmt: skip

    Redis.nodes = lazy  # type: ignore[method-assign]


def _etcd_does_not_sync() -> None:
    """etcd acknowledges what it has not synced (--unsafe-no-fsync), and cannot come back."""
    from stackproof.services.etcd.server import Etcd

    nodes = Etcd.nodes

    def unsafe(self: Any, where: Any) -> Any:
        return [replace(one, argv=[*one.argv, "--unsafe-no-fsync"]) for one in nodes(self, where)]

    Etcd.nodes = unsafe  # type: ignore[method-assign]


def _disk(sound: str, broken: str) -> None:
    """Build the disk that loses its power with a part replaced."""
    from stackproof.stack.harm import volatile

    assert volatile.DISK.directory is not None
    place = PLACE / "disk"
    shutil.copytree(volatile.DISK.directory, place, dirs_exist_ok=True)
    text = (place / "main.go").read_text()
    assert sound in text
    (place / "main.go").write_text(text.replace(sound, broken))
    volatile.DISK = replace(volatile.DISK, directory=place)


def _disk_drops_what_is_synced() -> None:
    """The disk that loses its power drops what was synced after the start, too."""
    sync = "func (d *disk) sync(of *object, fd int) error {\n"
    _disk(sync, f"var syncs int\n\n{sync}\tif syncs++; syncs > 20 {{\n\t\treturn nil\n\t}}\n")


def _disk_drops_nothing() -> None:
    """The disk that loses its power keeps everything, and says that it is done."""
    _disk("d.restore()", "error(nil)")


def _rows_are_confirmed_early() -> None:
    """Every fiftieth row is said to be committed, and never sent."""
    from stackproof.services.postgresql.writer import RowsWriter

    write, numbers = RowsWriter.write, itertools.count(1)

    def writing(self: Any, text: str) -> None:
        if next(numbers) % 50:
            write(self, text)

    RowsWriter.write = writing  # type: ignore[method-assign]


def _client_of_vectors(**methods: Callable[..., Any]) -> None:
    """Replace methods of Milvus's client; each gets the real one first."""
    from pymilvus import MilvusClient

    for name, method in methods.items():
        real = getattr(MilvusClient, name)
        setattr(MilvusClient, name, partialmethod(method, real))


def _vectors_are_dropped() -> None:
    """Of each request that inserts vectors the last one is confirmed, and not stored."""

    def insert(self: Any, real: Any, name: str, rows: Any, **how: Any) -> Any:
        return real(self, name, rows[:-1], **how)

    _client_of_vectors(insert=insert)


def _inserts_twice() -> None:
    """Of each request that inserts vectors the last one is stored twice; a query shows it once."""

    def insert(self: Any, real: Any, name: str, rows: Any, **how: Any) -> Any:
        return real(self, name, [*rows, rows[-1]], **how)

    _client_of_vectors(insert=insert)


def _upserts_add() -> None:
    """An upsert adds the new vector and leaves the old one there."""

    def upsert(self: Any, real: Any, name: str, rows: Any, **how: Any) -> Any:
        return self.insert(name, rows, **how)

    _client_of_vectors(upsert=upsert)


def _deletes_nothing() -> None:
    """Deletions are confirmed, and nothing is deleted."""

    def delete(self: Any, real: Any, name: str, **how: Any) -> Any:
        return {"delete_count": len(how["ids"])}

    _client_of_vectors(delete=delete)


def _filters_are_ignored() -> None:
    """A query finds everything, whatever its filter."""

    def query_iterator(self: Any, real: Any, name: str, **how: Any) -> Any:
        return real(self, name, **{**how, "filter": ""})

    _client_of_vectors(query_iterator=query_iterator)


def _wrong_metric() -> None:
    """Every index is built, and searched, by the inner product, whatever was asked for."""

    def create_index(self: Any, real: Any, name: str, wanted: Any, **how: Any) -> Any:
        other = self.prepare_index_params()
        for one in wanted:
            asked = {**one.to_dict(), "metric_type": "IP"}
            other.add_index(
                asked.pop("field_name"), asked.pop("index_type"), asked.pop("index_name"), **asked
            )
        return real(self, name, other, **how)

    def search(self: Any, real: Any, name: str, **how: Any) -> Any:
        return real(self, name, **{**how, "search_params": {"metric_type": "IP"}})

    _client_of_vectors(create_index=create_index, search=search)


def _filters_of_searches_are_ignored() -> None:
    """A search finds the nearest of all, whatever its filter."""

    def search(self: Any, real: Any, name: str, **how: Any) -> Any:
        return real(self, name, **{**how, "filter": ""})

    _client_of_vectors(search=search)


def _partitions_are_searched_together() -> None:
    """A search in one partition finds what lies in others."""

    def search(self: Any, real: Any, name: str, **how: Any) -> Any:
        return real(self, name, **{**how, "partition_names": None})

    _client_of_vectors(search=search)


def _flushed_is_lost() -> None:
    """Milvus begins without what it has stored, whenever it is started."""
    from stackproof.services.milvus.server import Milvus

    nodes = Milvus.nodes

    def forgetful(self: Any, where: Any) -> Any:
        begin = 'rm -rf "$0"/*; exec "$@"'
        return [replace(one, argv=["sh", "-c", begin, one.data, *one.argv])
                for one in nodes(self, where)]  # fmt: skip

    Milvus.nodes = forgetful  # type: ignore[method-assign]


def _strong_is_bounded() -> None:
    """Milvus is asked for what it has got round to, where the newest was wanted."""

    def search(self: Any, real: Any, name: str, **how: Any) -> Any:
        return real(self, name, **{**how, "consistency_level": "Bounded"})

    _client_of_vectors(search=search)


def _partitions_are_one() -> None:
    """Vectors for a partition are put into the one that every collection has."""

    def insert(self: Any, real: Any, name: str, rows: Any, **how: Any) -> Any:
        return real(self, name, rows, **{**how, "partition_name": ""})

    _client_of_vectors(insert=insert)


def _reads_are_local() -> None:
    """etcd is asked for what one member has itself, whether it is cut off or not."""
    from stackproof.services.etcd.client import EtcdKeeper, utf8

    def read(self: Any, name: str) -> bytes | None:
        found = self.ask(lambda client: client.get(utf8(name), serializable=True))
        return found[0] if found else None

    EtcdKeeper.read = read  # type: ignore[method-assign]


def _watch_skips() -> None:
    """A watcher of etcd is not told of every fiftieth change."""
    from stackproof.services.etcd.watching import Watch

    changes, numbers = Watch._changes, itertools.count(1)

    def skipping(self: Any, answer: Any) -> Any:
        return (change for change in changes(self, answer) if next(numbers) % 50)

    Watch._changes = skipping  # type: ignore[method-assign]


def _watch_begins_late() -> None:
    """A watcher of etcd that was cut off goes on with what comes from then on."""
    from stackproof.services.etcd.watching import Watch

    follow = Watch._follow

    def following(self: Any, task: Any, client: Any) -> None:
        if self.resumed:
            self.revision = self._keeper.revision() + 1
        follow(self, task, client)

    Watch._follow = following  # type: ignore[method-assign]


def _replica_hides_lag() -> None:
    """The primary of Redis says of every replica that it is not behind."""
    from stackproof.services.redis.probe import RedisProbe

    replicas = RedisProbe.replicas

    def lying(self: Any) -> Any:
        return {n: replace(one, behind=0, silent=0) for n, one in replicas(self).items()}

    RedisProbe.replicas = lying  # type: ignore[method-assign]


def _nobody_waits_for_replicas() -> None:
    """Redis acknowledges a write that was to wait for a replica at once."""
    from stackproof.services.redis import replication, server

    replication.set_for = (  # type: ignore[assignment]
        lambda client, key, value, replicas, *, timeout: client.set(key, value)
    )
    server.Redis.options = {**server.Redis.options, "config": (("min-replicas-to-write", 0),)}


def _evicts_at_random() -> None:
    """Redis evicts any key, whatever its policy says."""
    from stackproof.services.redis.eviction import Eviction

    fill = Eviction.fill

    def filling(self: Any) -> None:
        self._client.config_set("maxmemory-policy", "allkeys-random")
        fill(self)

    Eviction.fill = filling  # type: ignore[method-assign]


def _drops_keys_that_move() -> None:
    """Keys of a slot that moves to another node of a Redis Cluster do not get there."""
    from stackproof.services.redis.slots import Moving

    def dropping(self: Any, slot: int) -> int:
        keys = self._source.execute_command("CLUSTER GETKEYSINSLOT", slot, 1000)
        for key in keys:
            self._source.delete(key)
        return len(keys)

    Moving.carry = dropping  # type: ignore[method-assign]


def _fails_over_to_nothing() -> None:
    """What takes over from a primary of Redis is empty."""
    from stackproof.services.redis.writer import KeysWriter

    write = KeysWriter.write

    def writing(self: Any, text: str) -> None:
        if self._client.info("replication")["connected_slaves"] == 1 and not hasattr(self, "gone"):
            self.gone = self._client.delete(*self._keys())
        write(self, text)

    KeysWriter.write = writing  # type: ignore[method-assign]


_KEPT = "Nothing acknowledged is lost while {}"
_CUT = _KEPT.format("the server is cut off from its clients: keys are set")
_PAUSED = _KEPT.format("the server is paused: keys are set")
_APART = _KEPT.format("replica 1 is cut off from its peers: rows are inserted")
_SEVERED = "What a primary acknowledges when it is cut off is lost"
_SYNCHRONOUS = (
    "Nothing acknowledged is lost that waited for a replica when the primary is cut off from its "
    "peers"
)
_POWER = "Nothing acknowledged is lost with the power: {}"
_CRASHED = _KEPT.format("the primary has crashed: rows are inserted")
_OLD = _KEPT.format(
    "node 1 has crashed: messages are published to a durable queue that has survived a restart"
)
_GONE = "All that was there is gone when the server has crashed: keys are set"
_NO_EFFECT, _NEVER_HEALED = "the fault had no effect", "the healing never came"
_PROMPT = "A row is read on both replicas within a second"
_WAITS = "A commit waits while the synchronous replica is paused"
_STALLS = "A replica that stalls is noticed"
_AWAY = "A replica that is away for too long does not fill the primary's disk"
_SEEN = "Inserted, replaced and deleted vectors are seen at once"
_ALONE = "Registers in etcd are linearizable while the leader is cut off from its peers"
_WATCHED = "A watcher is told of every change while node 1 has crashed"
MUTANTS = {
    "health_hides_lag": Broken(_health_hides_lag, _STALLS, "'behind' was <0>"),
    "lag_is_what_was_last_said": Broken(_lag_is_what_was_last_said, _STALLS, "'lag' was"),
    "replicas_are_late": Broken(_replicas_are_late, _PROMPT, "from a commit to the last replica"),
    "synchronous_in_name_only": Broken(_synchronous_in_name_only, _WAITS, "waits for a replica"),
    "waits_in_name_only": Broken(_waits_in_name_only, _SYNCHRONOUS, "lost"),
    "never_comes_back": Broken(_never_comes_back, _SEVERED, _NEVER_HEALED),
    "never_steps_down": Broken(_never_steps_down, _SEVERED, "several nodes are primaries"),
    "keeps_everything": Broken(_keeps_everything, _AWAY, "'lost'"),
    "rolls_back": Broken(_rolls_back, "What is committed is read on both replicas", "lost"),
    "pause_holds_one_process": Broken(_pause_holds_one_process, _WAITS, "waits for a replica"),
    "clients_stay_connected": Broken(_nothing_is("CutClients"), _CUT, _NO_EFFECT),
    "clients_stay_cut_off": Broken(_nothing_is("ClearClients"), _CUT, _NEVER_HEALED),
    "probe_always_says_yes": Broken(_probe_always_says_yes, _PAUSED, _NO_EFFECT),
    "peers_always_seen": Broken(_peers_always_seen, _APART, _NO_EFFECT),
    "messages_are_transient": Broken(_messages_are_transient, _OLD, "lost"),
    "memory_is_a_disk": Broken(_memory_is_a_disk, _GONE, "of what was written before"),
    "reads_are_local": Broken(_reads_are_local, _ALONE, "stale-read"),
    "watch_skips": Broken(_watch_skips, "A watcher is told of every change", "lost"),
    "watch_begins_late": Broken(_watch_begins_late, _WATCHED, "lost"),
    "replica_hides_lag": Broken(
        _replica_hides_lag,
        "A replica of Redis that stalls is noticed",
        "replica-1 in the primary's eyes",
    ),
    "nobody_waits_for_replicas": Broken(
        _nobody_waits_for_replicas,
        "Nothing is acknowledged that only the primary has",
        "it is refused",
    ),
    "evicts_at_random": Broken(
        _evicts_at_random, "By volatile-lru the right keys are evicted", "evicted"
    ),
    "drops_keys_that_move": Broken(
        _drops_keys_that_move, "Keys are read and written while their slots move", "lost"
    ),
    "fails_over_to_nothing": Broken(
        _fails_over_to_nothing, "Writes that waited for a replica survive the primary", "lost"
    ),
    "rows_are_confirmed_early": Broken(_rows_are_confirmed_early, _CRASHED, "lost"),
    "commits_are_not_synced": Broken(
        _commits_are_not_synced,
        _POWER.format("rows are inserted into a table that has survived a restart"),
        "lost",
    ),
    "log_is_not_synced": Broken(_log_is_not_synced, _POWER.format("keys are set"), "lost"),
    "etcd_does_not_sync": Broken(_etcd_does_not_sync, _POWER.format("keys are put"), _NEVER_HEALED),
    "disk_drops_what_is_synced": Broken(
        _disk_drops_what_is_synced, _POWER.format("keys are set"), "lost"
    ),
    "disk_drops_nothing": Broken(_disk_drops_nothing, _POWER.format("keys are set"), _NO_EFFECT),
    "vectors_are_dropped": Broken(_vectors_are_dropped, _SEEN, "lost"),
    "inserts_twice": Broken(_inserts_twice, _SEEN, "there twice"),
    "upserts_add": Broken(_upserts_add, _SEEN, "stale"),
    "deletes_nothing": Broken(_deletes_nothing, _SEEN, "stale"),
    "filters_are_ignored": Broken(
        _filters_are_ignored, "Filters select exactly the matching vectors", "not fit"
    ),
    "wrong_metric": Broken(_wrong_metric, "Exact search finds the nearest ones by L2", "recall"),
    "filters_of_searches_are_ignored": Broken(
        _filters_of_searches_are_ignored, "Exact search finds the nearest ones by L2", "recall"
    ),
    "partitions_are_searched_together": Broken(
        _partitions_are_searched_together, "Partitions hold what was put into them", "recall"
    ),
    "flushed_is_lost": Broken(
        _flushed_is_lost, "Nothing flushed is lost when the server crashes", "lost"
    ),
    "strong_is_bounded": Broken(
        _strong_is_bounded,
        "With Strong consistency the first search sees what was changed",
        "are as before",
    ),
    "partitions_are_one": Broken(
        _partitions_are_one, "Partitions hold what was put into them", "was <0>"
    ),
}


KIND = Kind(
    plural="broken databases",
    mutants=MUTANTS,
    place=PLACE,
    document=(
        "docs/databases.md",
        "# Broken databases\n\nWritten by `make mutants`. A database, cache or queue, or the way "
        "to break one, is broken; the scenario\nmust fail and say so. With nothing broken "
        "{passed} of these {wanted} scenarios passed.\n\n"
        "| broken | what happens | must be caught by | named as | caught |\n"
        "|---|---|---|---|---|\n",
    ),
    arguments=lambda place: ["-m", "stackproof", "run", "features/database", "features/faults",
                             "features/vectors", "features/coordination", "features/cache"],
    environment=lambda name: {
        VARIABLE: name or "none",
        "PYTHONPATH": os.pathsep.join([str(_WITHIN), str(ROOT)]),
        # A machine that does other things excuses the control, but none that is broken.
        **({"STACKPROOF_QUIET_BELOW": "1000"} if name else {}),
    },
)  # fmt: skip
