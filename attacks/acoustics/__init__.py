"""What happens to sound on its way: rooms, air, loudspeakers, telephones, and paths whose length changes.

Families `reverb`, `channel` and `modulation`. It must not know attacks of other rooms.
"""
