"""One directory that real Kafka wrote, compacted by real Kafka and by klamm on copies: what is left must be equal.

`making.py` has Kafka write the input, `cleaning.py` has both clean it, `reading.py` reads and compares what they left.
Two rounds: the second one goes on with what Kafka left of the first, after the delete horizons have passed.
"""
