"""Presets: the grids of attacks that come with sealproof, as TOML."""
