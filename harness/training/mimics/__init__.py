"""Mimics: what they may ask the detector, their training, their cards, their export."""
