"""Settings of brokers, topics, groups, client metrics subscriptions and quotas, with Kafka's names and meanings.

`definitions` knows every key, `broker_config` reads a node's own settings, `layers` and `describe` say which value is
in force and why, `alter` and `resource_rules` check changes. Importing the package imports none of them.
"""
