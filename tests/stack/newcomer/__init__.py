"""A service that the suite does not have, added as docs/architecture.md says."""
