"""The clip is taken apart by a model of sound and put together again from a part of what was found.

Family `resynthesis`. It must not know attacks of other rooms.
"""
