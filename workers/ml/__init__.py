"""Images to features to probabilities: decoding, backbones, heads, engines.

Knows nothing of Celery, Redis, SQLAlchemy or `db`. Keras and OpenCV are imported inside functions, so that whoever only
wants to know a backbone's input size does not wait for TensorFlow.
"""
