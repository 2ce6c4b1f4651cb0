"""How well a detector can be copied with so many questions."""
