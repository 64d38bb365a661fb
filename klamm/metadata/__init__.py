"""What the cluster believes: the KRaft quorum, the controller, the images."""
