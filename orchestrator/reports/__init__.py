"""The page about a model: one HTML file that anybody can open, keep and send on, without a network or a script.

Takes plain values and gives text; it must not know of SQL, Celery or image files.
"""
