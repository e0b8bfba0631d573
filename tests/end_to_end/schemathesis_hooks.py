"""What schemathesis sends as audio: a clip of speech, or bytes that are none."""

from pathlib import Path

import schemathesis
from hypothesis import strategies as st

CLIP = (Path(__file__).parents[1] / "data/namaste.wav").read_bytes()
AUDIO = st.just(CLIP) | st.binary(max_size=200)

schemathesis.openapi.format("binary", AUDIO)
schemathesis.openapi.media_type("audio/*", AUDIO)
