"""Driving RabbitMQ, with every operation recorded."""
