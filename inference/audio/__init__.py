"""What the bytes are, and how they become a waveform."""
