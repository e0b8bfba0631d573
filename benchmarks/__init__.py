"""Side by side with other programs: the same weights, the same audio, in turns, on one machine."""
