"""Classes of messages, as histories label them."""

VALID = "valid"
INVALID = "invalid"
