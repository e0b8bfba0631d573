"""What happens to speech on its way to a microphone, and sounds that are none."""
