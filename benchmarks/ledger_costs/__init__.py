"""What the ledger costs a real PostgreSQL: each of its transactions, and each of its rows.

`python -m benchmarks.ledger_costs` measures and writes `measured.json`, which `benchmarks.scale_sim` draws its service
times from and docs/explanation/scaling.md quotes. Nothing here knows of images' contents, of workers or of a broker.
"""
