"""What attacks claim, held against what they do: on clips at hand, as a gallery, as a catalogue."""
