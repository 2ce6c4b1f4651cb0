"""`python -m sealproof` is the command `sealproof`."""

from sealproof.harness.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
