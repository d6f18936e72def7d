"""Everything that measures Dynimo, beside something to measure it against.

One file is one bench; what several need lives in small modules (``corpus``, ``load``, ``memory``,
``programs``, ``figures``, ``peers``). Nothing here is imported by the product, and nothing here
asserts: a bench prints what it found, with the goal beside it. Machines that run benches are noisy,
so everything compared is compared within one run, in interleaved rounds, and given as a ratio.
"""
