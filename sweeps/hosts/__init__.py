"""Hosts and the requests that they work on."""
