"""What operations do to pixels. Their declarations are in `ops`; nothing here reads a URL."""
