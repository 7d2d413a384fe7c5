"""Engines: the software that runs a backbone over batches of images, behind one small interface."""
