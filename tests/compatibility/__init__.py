"""Servers that the suite does not ship, started here, and what of the features they pass."""
