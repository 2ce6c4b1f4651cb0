"""The commands of `sealproof`, a module for each kind; heavy imports are inside, so that `--help` is quick."""
