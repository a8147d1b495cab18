"""Words of the features that a configuration may refer to."""

from __future__ import annotations

#: Kinds of invalid messages, as features call them.
FLAWS = (
    "that is not JSON",
    "that is not text",
    "that is not an object",
    "that is empty",
    "that is null",
    "that is too large",
    "that is nested too deeply",
    "with a duplicate field",
    "with NaN for a number",
    "with a number beyond a double",
    "with a missing field",
    "with an unknown field",
    "with a value of the wrong type",
    "with a malformed date",
    "with a value that is not allowed",
    "with a value out of range",
)

#: Error types, as features call them; a system may call them otherwise.
ERROR_TYPES = (
    "null_message",
    "empty_message",
    "too_large",
    "invalid_json",
    "not_an_object",
    "missing_field",
    "unknown_field",
    "wrong_type",
    "bad_format",
    "not_allowed_value",
    "out_of_range",
)

#: Finer names of one error: what a system does not name is called as it calls that one.
FINER = {
    "duplicate_field": "invalid_json",
    "not_a_number": "invalid_json",
    "number_too_large": "invalid_json",
    "nested_too_deeply": "invalid_json",
}

#: Mistakes in a system's options, as features call them.
MISTAKES = (
    "an unknown option",
    "a value that is no number",
    "a value out of range",
    "a value that is not allowed",
    "values that contradict each other",
    "one topic for two purposes",
    "a setting that breaks its guarantees",
)

#: What features call something else, after "the": no system may be called so.
RESERVED = frozenset({
    "admin api", "broker", "brokers", "client", "cluster", "consumer", "consumers", "controller",
    "dead letter", "dead letters", "dead letter topic", "elected candidate", "group", "leader",
    "message", "messages", "node", "primary", "producer", "queue", "replica", "search engine",
    "server", "table", "topic",
})  # fmt: skip
