"""Measures the server and the library on the machine at hand: tune, capacity, loadtest, soak, figures, memory."""
