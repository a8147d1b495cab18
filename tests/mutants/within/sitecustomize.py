"""Breaks clients or databases in every Python process that has this folder on its path."""

import os

from tests.mutants import clients, databases

for kind in (clients, databases):
    if os.environ.get(kind.VARIABLE) in kind.MUTANTS:
        kind.MUTANTS[os.environ[kind.VARIABLE]].apply()
