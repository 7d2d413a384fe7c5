"""Uploads: files that came by HTTP, each upload in a folder of its own, as a source like any other: `upload:ID`.

Knows nothing of HTTP. Nothing is imported here: whoever looks for a folder's images needs no database.
"""
