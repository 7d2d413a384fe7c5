"""The HTTP API: what the command line can do, for programs and for the dashboard.

Routes are thin: they read a request, call the same use cases as the commands do, and answer with the same values.
"""
