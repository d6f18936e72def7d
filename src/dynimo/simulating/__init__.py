"""What would happen? Demand against policies, in virtual time; nothing is started or measured.

The decisions are those of ``functions.pool`` and ``functions.scaling``, not copies of them. Here
are also the words and the plot in which the real benchmark tells its result, so that both can be
laid beside each other.
"""
