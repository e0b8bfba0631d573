"""The door: HTTP in, HTTP out. No ONNX, no audio maths."""
