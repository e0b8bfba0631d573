"""The encoder of OpenAI's Whisper, and what it takes to make a Conformer of it."""
