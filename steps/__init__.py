"""Steps of features; loaded first, whoever loads them, so that each finds its types known."""

from stackproof import vocabulary

vocabulary.register_once()
