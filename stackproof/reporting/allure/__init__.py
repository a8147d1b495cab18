"""Allure results: one file per scenario, with its evidence.

It may touch what `reporting` may.
"""

from stackproof.reporting.allure.formatter import AllureFormatter

__all__ = ["AllureFormatter"]
