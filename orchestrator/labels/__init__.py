"""Labels by people: read from files, found among images, checked, and kept; and written to files for others.

`reading` opens what a user names, `label_studio` knows that program's format, `finding` says which image is meant,
`recording` checks everything and writes it in one go, `exporting` writes files. A label belongs to a model's name.
"""
