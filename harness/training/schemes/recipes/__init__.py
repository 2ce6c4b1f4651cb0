"""Recipes that come with sealproof, as TOML."""
