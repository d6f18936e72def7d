"""The URL languages: each reads its own spelling and compiles it to one recipe, then is forgotten.

One module a language, or a package where that is too much for one file. None of them knows another.
"""
