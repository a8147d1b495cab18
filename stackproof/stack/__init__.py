"""Running services: obtained, started, watched, stopped, and never left behind.

It may touch `services`, `settings`, `obtain` and `processes`; it runs for whoever asks.
"""
