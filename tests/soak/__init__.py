"""What takes longer than a test: the same features again and again, and runs that are killed."""
