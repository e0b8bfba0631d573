"""HTTP in, HTTP out. No ONNX, no audio maths."""
