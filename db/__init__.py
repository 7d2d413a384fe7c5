"""The ledger and the stores: what is owed, who has it, what is done.

Knows nothing of Celery, Keras or OpenCV. Sessions are opened by the caller.
"""
