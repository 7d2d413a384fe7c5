"""The pages, by what they are about. `router` has what is only looked at, `forms` what changes something."""
