"""Conversations as programs export them, without stamps, joins, leaves and other lines of the program."""
