"""The second pipeline: another language, no shared code, other names; run as it is and broken."""
