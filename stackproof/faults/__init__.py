"""Breaking things, and proving that they broke and healed."""
