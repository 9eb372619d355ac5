"""The `tfmeta` command."""
