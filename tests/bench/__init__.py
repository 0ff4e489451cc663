"""`make bench`: what one request and one streamed chunk cost, beside smg if there is one.

The processes of a run:

__main__.py       the orchestrator
├── upstream.py   the mock provider
├── service.py    llmrouter: supervisor, core, facade   ◄── accounted from /proc, the whole tree
├── others.py     smg, to compare with                  ◄── the same
└── load.py       the load client, one for each turn of each case
"""
