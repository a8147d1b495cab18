"""All broken systems, servers, databases, clients, checks and injectors: each must be caught.

``python -m tests.mutants [NAME ...]`` runs those of these names, or groups, or all (about an
hour), and writes ``docs/mutants.md``, ``injectors.md``, ``clients.md``, ``databases.md`` and
``broken-vocabulary.md``.
"""

from __future__ import annotations

import argparse
import sys

from tests.mutants import clients, databases, injectors, run, vocabulary
from tests.mutants.groups import GROUPS
from tests.mutants.mutant import known


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 when one was not caught as it must be, 2 for unknown names."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    names = parser.parse_args(arguments).names
    systems = {mutant.name for mutant in known()} | {group.name for group in GROUPS}
    kinds = (
        ("systems", systems, run.main),
        ("injectors", injectors.KIND.mutants.keys(), injectors.KIND.main),
        ("clients", clients.KIND.mutants.keys(), clients.KIND.main),
        ("databases", databases.KIND.mutants.keys(), databases.KIND.main),
        ("vocabulary", vocabulary.KIND.mutants.keys(), vocabulary.KIND.main),
    )
    every = sorted({name for kind, there, _ in kinds for name in (kind, *there)})
    if unknown := sorted(set(names) - set(every)):
        print(f"no mutant or group is called {unknown[0]}; they are: {', '.join(every)}")
        return 2
    codes = []
    for kind, there, run_kind in kinds:
        whole = not names or kind in names
        if whole or there & set(names):
            codes.append(run_kind([] if whole else [name for name in names if name in there]))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
