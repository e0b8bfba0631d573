"""Recordings of people that one has: the shapes they come in, and the NeMo manifest that is made of them."""
