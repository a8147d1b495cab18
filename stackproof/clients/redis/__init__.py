"""Driving Redis, with what is written and read back recorded.

It may touch what `clients` may, and no other service.
"""
