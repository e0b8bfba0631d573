"""The synthesisers that speak for the recipe, and their voices."""
