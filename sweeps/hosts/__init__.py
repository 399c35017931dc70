"""Hosts, and the requests sent to them."""
