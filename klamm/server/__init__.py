"""The process: network, dispatch, handlers, coordinators."""
