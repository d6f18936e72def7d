"""The command line: argv → one call each. A verb's module loads only when that verb is typed."""
