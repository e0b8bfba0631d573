"""Recipe of the embedded Hindi model: sentences, synthetic speech, NeMo training, evaluation."""

import inference  # noqa: F401 # before ONNX Runtime, whose telemetry it turns off
