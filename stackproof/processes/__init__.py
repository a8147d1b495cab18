"""The processes of a run: started, recognised, and ended whatever happens.

It may touch the ground alone: it knows nothing of what it runs.
"""
