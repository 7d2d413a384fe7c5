"""Workers: they claim chunks from the ledger, label them and write the rows. Celery is one way to run them.

`labelling` is the use case; `local` (embedded) and `tasks` (Celery) call the same function of it.
"""
