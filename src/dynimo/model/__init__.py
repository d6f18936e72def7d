"""The nouns, frozen. No I/O, no clock, no asyncio."""
