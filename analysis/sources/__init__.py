"""Tables of scores from files that other evaluation tools write; plain JSON and zip files, without these tools."""
