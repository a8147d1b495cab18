"""Breaks clients, databases or the vocabulary in processes that have this folder on their path."""

import os

from tests.mutants import clients, databases, vocabulary

for kind in (clients, databases, vocabulary):
    if os.environ.get(kind.VARIABLE) in kind.MUTANTS:
        kind.MUTANTS[os.environ[kind.VARIABLE]].apply()
