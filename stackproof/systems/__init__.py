"""Systems under test: their contracts, their inputs, how they are launched and watched."""
