"""Servers with faults: proxies in front of sound ones that change what passes through them."""
