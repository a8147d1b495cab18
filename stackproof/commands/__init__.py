"""One module for each command of the command line.

They may touch everything but steps and systems under test.
"""
