"""Models as files: for Keras, for ONNX Runtime, and for another Labelyard. The first two are written, never read."""
