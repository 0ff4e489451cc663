"""`make bench`: what one request and one streamed chunk cost, beside the bare upstream and, if present, smg.

    orchestrator (__main__)
      ├── upstream.py   mock provider, its own process
      ├── service.py    llmrouter: supervisor, core, facade      ◄── measured: /proc of the whole tree
      ├── peer.py       smg, to compare with                     ◄── measured the same way
      └── load.py       load client, one process for each case
"""
