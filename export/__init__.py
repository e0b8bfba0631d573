"""NeMo checkpoint → model package: export, verification, quantisation. Alone imports torch and NeMo."""

import inference  # noqa: F401 # before ONNX Runtime, whose telemetry it turns off
