"""What a run tells people and machines: console, Allure, JUnit XML, with secrets masked.

It may touch `history` and the ground: a report is made from evidence alone.
"""
