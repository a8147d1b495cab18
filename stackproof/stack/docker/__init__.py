"""Services as containers: started by Compose, watched and broken by the Docker SDK.

It may touch what `stack` may.
"""
