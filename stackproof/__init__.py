"""Acceptance suite in Gherkin for event-driven data stacks."""

__version__ = "0.1.0"
