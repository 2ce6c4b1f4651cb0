"""Codecs: the clip is really encoded and decoded again, by FFmpeg, LAME or a neural network.

Family `codec`. It must not know attacks of other rooms.
"""
