"""`klamm compat run`: the cases and the client suites on two brokers, and the score card of what came out."""
