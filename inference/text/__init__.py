"""How a transcript is written: numbers in digits, dandas at pauses. Pure functions over words with or without times."""
