"""Running features: planning, worker processes, and what a scenario works with."""
