"""Driving Redis, with what is written and read back recorded."""
