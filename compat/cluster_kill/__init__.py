"""SIGKILL and SIGSTOP of nodes of a cluster under load: nothing acknowledged is lost, doubled or out of order."""
