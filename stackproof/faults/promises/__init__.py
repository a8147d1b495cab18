"""Provoking what guarantees of delivery allow, and what they rule out."""
