"""How much each caller may do, counted together by all workers of a machine, or of all machines with Redis."""
