"""Recipe of the embedded Hindi model: sentences, synthetic speech, NeMo training, evaluation.

Here are the steps, one file each; the folders hold what they are made of.
"""

from pathlib import Path

import inference  # noqa: F401 # before ONNX Runtime, whose telemetry it turns off

DATA = Path(__file__).parent / "data"
"""Words, sentences, voices and sounds, as text."""
