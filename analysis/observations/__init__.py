"""The observations table: columns, readers, views."""
