"""Cutting a clip out of a long file or stream, to the sample; knows no YouTube."""
