"""Valkey: one server, in memory only."""
