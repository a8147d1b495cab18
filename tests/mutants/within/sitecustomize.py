"""Breaks the clients of every Python process that has this folder on its path."""

import os

from tests.mutants.clients import MUTANTS, VARIABLE

if os.environ.get(VARIABLE) in MUTANTS:
    MUTANTS[os.environ[VARIABLE]].apply()
