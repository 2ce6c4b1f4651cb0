"""Does an attack do what it states? Measures attacked audio and holds every claim against it.

It must not know any attack: an attack that measures something of its own says how in `evidence`.
"""
