"""The dashboard: pages for people, from the same use cases as the commands and the HTTP API.

Pages are written here, by templates, and are whole without a script; scripts add what only they can: progress that
moves, keys in the review, files that are dropped. Nothing is loaded from elsewhere. The API knows nothing of it.
"""
