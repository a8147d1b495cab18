"""Worker processes: what they run, what they say, and the deadlines they are held to."""
