"""Work accepted to be done later: asynchronous invocations and queues that feed functions."""
