"""Clients that drive services and record what they did.

They may touch `history` and `access`. They start nothing, and those of one service know no other.
"""
