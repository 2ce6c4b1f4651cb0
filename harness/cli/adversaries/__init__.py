"""`sealproof adversary` and `search`: a detector against somebody who tries."""
