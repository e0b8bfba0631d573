"""What is made once for a machine, and mapped by all its lanes."""
