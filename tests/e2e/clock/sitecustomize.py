"""Makes the clock of a Python wrong by CLOCK_IS_OFF_BY_S, where this folder is on its path."""

import os
import time

_true_time = time.time
_true_time_ns = time.time_ns
_off_by_s = int(os.environ.get("CLOCK_IS_OFF_BY_S", "0"))

time.time = lambda: _true_time() + _off_by_s
time.time_ns = lambda: _true_time_ns() + _off_by_s * 10**9
