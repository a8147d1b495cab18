"""Allure results: one file per scenario, with its evidence."""

from stackproof.reporting.allure.formatter import AllureFormatter

__all__ = ["AllureFormatter"]
