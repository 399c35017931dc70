"""What the record of an audit shows: tables, effects, sources of differences, drift."""
