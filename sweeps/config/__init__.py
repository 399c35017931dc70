"""The TOML file of a sweep as a valid configuration."""
