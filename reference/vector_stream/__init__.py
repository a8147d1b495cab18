"""Normalises vectors on their way from one Kafka topic to another; see README.md."""
