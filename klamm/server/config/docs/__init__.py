"""What every configuration key does, in a sentence: a module per table, imported when DescribeConfigs asks."""
