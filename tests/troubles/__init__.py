"""Every known trouble, provoked for real: what the suite says of it, and what it leaves behind.

``docs/troubleshooting.md`` is generated from what they printed: ``python -m tests.troubles``.
"""
