"""Sounds that carry no mark, added to clean clips: is there one that the detector takes for the mark?"""
