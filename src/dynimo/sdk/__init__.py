"""All that an app may import. Standard library only; semantic versioning starts here."""
