"""What in an image speaks for a class, found out in a process of its own: `process` asks, `child` has the network.

TensorFlow is imported there alone. It takes seconds to start and hundreds of megabytes, so that the process is kept for
some minutes, and then let go of.
"""
