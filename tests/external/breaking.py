"""``python -m tests.external.breaking [NAME ...]``: clusters of somebody else's are broken.

Starts three nodes outside of any run, each with commands of its owner, and runs shipped features on
them by ``--stack external``: Kafka's failover, and all of coordination for etcd and ZooKeeper. Then
one row more with a ``kill``, and with a ``start``, that does nothing.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.services import service
from stackproof.services.base import Clearable, Endpoint
from tests.external.owned import OwnedServer, owned
from tests.external.running import Watched, watched_run

ROOT = Path(__file__).parents[2]
FEATURES = ROOT / "features"
_PREFIX = "stackproof-"
#: What no command of an owner's does.
_OWNERS_CANNOT = "is cut off from its peers"


@dataclass(frozen=True)
class Somebodys:
    """A cluster of somebody's.

    Attributes:
        nodes: their names.
        option: the service's, that says how many there are.
        addresses: the setting that names all of them.
        chosen: arguments that choose what runs on it.
        one_row: a scenario that kills a node.
        systems: of the suite's own settings, that the features use.
    """

    nodes: Sequence[str]
    option: str
    addresses: str
    chosen: Sequence[str]
    one_row: str
    systems: Sequence[str] = ()


_NODES = [f"node-{number}" for number in (1, 2, 3)]


def _coordination(addresses: str, requirement: str, store: str) -> Somebodys:
    chosen = (str(FEATURES / "coordination"), "--suite", "release", "--tags", requirement)
    return Somebodys(_NODES, "nodes", addresses, chosen,
                     f"Registers in {store} are linearizable while node 2 has crashed",
                     [f"{store.lower()}-{what}" for what in ("lock", "election")])  # fmt: skip


CLUSTERS = {
    "kafka": Somebodys(
        [f"broker-{number}" for number in (1, 2, 3)], "brokers", "bootstrap_servers",
        (str(FEATURES / "messaging" / "failover.feature"),),
        'an idempotent producer is lost while the leader of "orders" crashes once',
    ),
    "etcd": _coordination("endpoints", "@COORD-01", "etcd"),
    "zookeeper": _coordination("hosts", "@COORD-02", "ZooKeeper"),
}  # fmt: skip


def settings(name: str, servers: list[OwnedServer], **instead: list[str]) -> str:
    """A ``stackproof.toml`` that names the cluster and allows all of it."""
    addresses = [server.address for server in servers]
    lines = [
        f"[services.{name}]", 'provider = "external"',
        f'{CLUSTERS[name].addresses} = "{",".join(addresses)}"',
        f"allow_destructive = {addresses!r}",
    ]  # fmt: skip
    for server in servers:
        lines += [f"[services.{name}.nodes.{server.name}]", f'address = "{server.address}"',
                  server.commands(**instead)]  # fmt: skip
    for system in CLUSTERS[name].systems:
        ours = (ROOT / "stackproof.toml").read_text()
        (section,) = re.findall(rf"^\[systems\.{system}\]\n[^\[]*", ours, re.MULTILINE)
        lines += [section, f'directory = "{ROOT}"']
    return "\n".join(lines)


def left_on(name: str, servers: list[OwnedServer]) -> list[str]:
    """What bears the name of a run there."""
    kind = service(name)
    assert isinstance(kind, Clearable)
    addresses = {server.name: server.address for server in servers}
    return [str(one) for one in kind.leftovers(
        Endpoint(name, "somebodys", "", addresses), _PREFIX)]  # fmt: skip


class _Breaking:
    """Runs on one cluster, and whether all was as it must be."""

    def __init__(self, name: str, place: Path, servers: list[OwnedServer]):
        self._name, self._place, self._servers = name, place, servers
        self.right = True

    def run(self, title: str, factor: str, *arguments: str, **instead: list[str]) -> Watched:
        """One run; what became of it is printed."""
        print(f"== {service(self._name).title}: {title}", flush=True)
        toml = self._place / "stackproof.toml"
        toml.write_text(settings(self._name, self._servers, **instead))
        # Of the row that the options choose, nothing but its name counts.
        chosen = CLUSTERS[self._name].chosen
        found = watched_run(
            self._place, {"STACKPROOF_CONFIG": str(toml)}, "--no-report", *arguments,
            "--time-factor", factor, *chosen,
        )  # fmt: skip
        for name, verdict in found.verdicts.items():
            print(f"  {verdict:13} {name}", flush=True)
        if not found.verdicts:
            print(found.output[-2000:], flush=True)
        for reason in filter(None, found.reasons.values()):
            print("    " + reason.partition("\n")[0], flush=True)
        alive = ", ".join(server.name for server in self._servers if server.alive())
        print(f"  exit code {found.code} after {found.seconds:.0f} s; alive: {alive}", flush=True)
        self.demand(not found.left, f"left behind: {found.left}")
        return found

    def demand(self, holds: bool, otherwise: str) -> None:
        """Note what is not as it must be."""
        if not holds:
            print(f"  WRONG: {otherwise}", flush=True)
        self.right &= holds

    def all_of_it(self, factor: str) -> None:
        """The features pass, but for what commands cannot do."""
        found = self.run("by the owner's commands", factor, "--allow-skipped")
        counts = Counter(found.verdicts.values())
        self.demand(counts["passed"] > 0 and found.code == 0, f"exit code {found.code}: {counts}")
        for name, verdict in found.verdicts.items():
            expected = "not supported" if _OWNERS_CANNOT in name else "passed"
            self.demand(verdict == expected, f"{name}: {verdict} instead of {expected}")
        dead = [server.name for server in self._servers if not server.alive()]
        self.demand(not dead, f"not alive: {dead}")
        self.demand(not (left := left_on(self._name, self._servers)), f"left there: {left}")

    def lies(self) -> None:
        """Commands that do nothing are noticed. What never comes is not waited for any longer."""
        row = ("--name", CLUSTERS[self._name].one_row)
        found = self.run("a kill that does nothing", "1", *row, kill=["true"])
        said = list(found.reasons.values())
        self.demand(any("the fault had no effect" in reason for reason in said), str(said))
        found = self.run("a start that does nothing", "1", *row, start=["true"])
        said = list(found.reasons.values())
        self.demand(any("the healing never came" in reason for reason in said), str(said))
        self.demand("is left broken" in found.output and found.code == 1, found.output[-2000:])


def main() -> int:
    """Print what became of each; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.external.breaking", description=__doc__)
    parser.add_argument("--time-factor", default="2")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CLUSTERS)}")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CLUSTERS):
        parser.error(f"there is no {', '.join(unknown)}; there are: {', '.join(CLUSTERS)}")
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # nobody answers before a start
    right = True
    for name in options.names or CLUSTERS:
        somebodys = CLUSTERS[name]
        with (
            tempfile.TemporaryDirectory(prefix="breaking-") as scratch,
            owned(
                Path(scratch),
                name,
                list(somebodys.nodes),
                **{somebodys.option: len(somebodys.nodes)},
            ) as servers,
        ):
            breaking = _Breaking(name, Path(scratch), servers)
            breaking.all_of_it(options.time_factor)
            breaking.lies()
            right &= breaking.right
    print("as it must be" if right else "WRONG")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
