"""The active controller's decisions: commands in, records and answers out."""
