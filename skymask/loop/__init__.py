"""The loop in memory: options, iterations, and the estimates that are kept from one to the next."""
