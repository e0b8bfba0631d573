"""What the bytes are, and how they become a waveform, or the windows of a recording."""
