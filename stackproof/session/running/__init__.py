"""One run from its start to its reports.

It may touch `stack`, `reporting`, `services` and what the runner consists of besides.
"""
