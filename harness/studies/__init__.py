"""Questions asked with the rooms below: extraction of a detector, audit of attacks; knows no command."""
