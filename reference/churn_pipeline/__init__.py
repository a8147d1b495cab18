"""Churn pipeline: customers in, churn predictions and dead letters out, on Kafka.

Run it as ``python -m reference.churn_pipeline --help``; README.md beside this file
says what it guarantees and where its limits are.
"""
