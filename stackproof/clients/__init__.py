"""Clients that drive services and record what they did."""
