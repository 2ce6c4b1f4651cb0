"""What an attack does to the sound, heard and measured."""
