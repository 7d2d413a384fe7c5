"""Drawn pictures of five things, so that training can be shown where no photographs are at hand.

Everything in them is drawn by OpenCV from a seed: nothing is shipped, nothing downloaded, nobody's rights are touched.
Knows nothing of jobs, of the ledger, or of networks.
"""

from orchestrator.drawing.demo import DemoSet, draw_demo

__all__ = ["DemoSet", "draw_demo"]
