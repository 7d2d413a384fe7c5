"""From images to feature vectors, at the speed of the chip: what is stored is read, what is not goes through an engine.

    read and hash ──▶ look up ──▶ decode and resize ──▶ engine ──▶ store
    (threads)                     (threads)             (two batches)

Labelling and training both get their features here. `pipeline` is the whole, `values` what goes in and comes out,
`opening` the reading ahead, `batches` the buffers between decoding and the engine, `kept` the store, `threads` who does
the work, `watching` what it takes and whether it gets on.
"""
