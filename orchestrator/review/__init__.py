"""The review queue: images of a job that are worth a human look, none of them twice.

`candidates` says which could be, `handing_out` chooses and notes them, `sheets` writes what a person fills in.
"""
