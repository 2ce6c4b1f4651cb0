"""Schemes of AudioSeal's kind: the published networks, one's own, and the small ones that ship with sealproof.

It must not know other schemes, nor how networks are trained.
"""
