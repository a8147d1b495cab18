"""The processes of a run: started, recognised, and ended whatever happens."""
