"""Training a model again: its dataset's next version, the job that learns from it, and whether that made it better.

`composing` makes datasets of labels, `submitting` turns one into jobs, `verdicts` says which version is better. When
that happens is `orchestrator.scheduling`'s affair.
"""
