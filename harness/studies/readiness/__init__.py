"""What works on this machine: everything is tried, and what fails is named with the command that mends it."""
