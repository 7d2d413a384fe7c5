"""Pictures for those who look: thumbnails of a job's images, and what in them speaks for a class.

Images are hostile, so none is decoded in this process, and no network is loaded here: `making` asks processes that may
die, `explaining` one that has a network. Whoever asks is not known here; `orchestrator.api.routes.pictures` knows.
"""
