"""What every layer shares: words, errors, settings and contracts.

Knows nothing of Celery, SQLAlchemy, Keras or OpenCV; import-linter enforces it.
"""
