"""Reference systems: real programs to be tested, which know nothing of who tests them."""
