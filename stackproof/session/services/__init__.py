"""What steps work with: one workbench for each service, found by its name."""
