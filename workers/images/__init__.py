"""From a locator to the pixels that a network takes, without an image harming anything but its own row.

`loading` does it in threads of the worker, which is fast and dies with an image that kills. `watchdog` ends a worker in
which an image hangs. What is left of a chunk that a worker died over goes through `isolation`: through `child`
processes that may die by themselves. `suspicion` tells which way a chunk goes.
"""
