"""The HTTP cache in front of everything. Knows HTTP; knows neither gateway nor functions."""
