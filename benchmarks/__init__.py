"""Side by side with other programs: the same weights, the same audio, in turns, on one machine."""

import inference  # noqa: F401 # before ONNX Runtime, whose telemetry it turns off
