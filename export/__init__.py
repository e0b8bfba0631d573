"""NeMo checkpoint → model package: export, verification, quantisation. Alone imports torch and NeMo."""
