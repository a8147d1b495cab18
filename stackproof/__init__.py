"""Acceptance suite in Gherkin for event-driven data stacks.

Who may call whom stands in ``pyproject.toml`` ([tool.importlinter]). Each package says what
it may touch; all may touch the ground: errors, polling, texts, masking, paths, names and the like.
"""

__version__ = "0.1.0"
