"""How fast Labelyard is, as ratios to what its users would take instead: `make bench`, `python -m benchmarks`.

No part of the product: what is measured runs in processes of its own, and nothing here is imported by it.
"""
