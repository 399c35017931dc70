"""Text, cells and records as other programs write them; standard library only, so that `objectives` uses it as well."""
