"""Pipelines that are broken on purpose, each in one way, to show that the suite notices.

Each is a program with the command line of the reference: ``python -m tests.mutants.NAME``.
``mutants.toml`` lists them.
"""
