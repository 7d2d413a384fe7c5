"""The training use case: from the labelled images of a job to a measured model in the database.

`jobs` tells the story; `contents` and `tools` look into the images, `division` decides what is
for learning and what for measuring, `stages` fits, `conclusion` measures and writes.
"""
