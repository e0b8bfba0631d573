"""Other programs and servers on the same weights and the same audio, in turns, on one machine."""

import inference  # noqa: F401 # before ONNX Runtime, whose telemetry it turns off
