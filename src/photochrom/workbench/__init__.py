"""The workbench: train, measure and compare methods."""
