"""Running services: obtained, started, watched, stopped, and never left behind."""
