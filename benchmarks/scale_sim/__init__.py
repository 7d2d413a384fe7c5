"""How Labelyard grows: a thousand simulated workers on the real ledger, and a database that gets tired.

Claims, renewals, finishes and sweeps are the product's own functions on a real SQLite in memory, whose clock is the
simulation's. What is drawn are times: how long a transaction occupies one of the database's cores (from
`benchmarks/ledger_costs/measured.json`), how fast workers are, and when they die. So the simulation tells where the
ledger saturates, and fails if an image ends with no row or the job does not end.

What it does not show: locks of concurrent transactions (SQLite has one writer; the tests of the ledger see to that on
PostgreSQL), disks and networks that are full, vacuum, and what Redis does.

An event loop with a heap is forty lines; simpy would be one more dependency for them.
"""
