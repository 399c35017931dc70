"""Audits: causes that are named, and false alarms."""
