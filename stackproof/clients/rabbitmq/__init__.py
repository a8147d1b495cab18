"""Driving RabbitMQ, with every operation recorded.

It may touch what `clients` may, and no other service.
"""
