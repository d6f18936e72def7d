"""The faces of the platform that are not functions: health, metrics, purge. Thin."""
