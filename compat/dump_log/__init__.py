"""kafka-dump-log and `klamm log dump` on the same files: do they tell the same facts?"""
