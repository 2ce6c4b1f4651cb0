"""The scheme `spread_spectrum`: a classical keyed watermark, and the transform in which it lies.

It must not know other schemes.
"""
