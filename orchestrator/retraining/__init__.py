"""Training a model again: its dataset's next version, the job that learns from it, and whether that made it better.

`learned` knows what trainings left, `composing` makes datasets of that and of labels, `found` looks through folders,
`submitting` turns a dataset into jobs, `verdicts` says which version is better. When that happens is the affair of
`orchestrator.scheduling`.
"""
