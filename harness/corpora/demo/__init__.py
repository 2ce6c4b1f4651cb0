"""Music that is composed here, so that everything runs without a file or a network."""
