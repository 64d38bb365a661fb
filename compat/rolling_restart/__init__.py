"""Nodes that are stopped in order and started again, one after another: no application hears of it."""
