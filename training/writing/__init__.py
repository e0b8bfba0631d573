"""How texts are written and sounded: normal Hindi, other languages in Devanagari, letter by letter."""
