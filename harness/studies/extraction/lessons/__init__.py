"""What an imitator is taught: whose clips, altered or not, chosen how, with which answers."""
