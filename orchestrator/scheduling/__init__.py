"""When models are trained again, and what becomes of it: `tick` is all that a scheduler does, again and again.

`cron` knows the times, `due` what becomes of those that have passed, `facts` what conditions are asked about; `steps`
moves one run on, `ticking` all of them. Any number of schedulers may run; the database decides who moves what.
"""
