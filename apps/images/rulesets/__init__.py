"""The business rules as a product: versioned rulesets that finish what a dialect began.

`ruleset` has the values, `reading` makes them of TOML, `watching` keeps them fresh. `situation` is
what is known of a request, `choosing` finds the rules for it, `finishing` does what they say.
Nothing here knows a dialect, and nothing waits.
"""
