"""A provider that behaves like OpenAI's API, in a process of its own.

server.py  the process ─ wire.py  what it says
process.py starts it, and is how a test holds its answers back and asks what it saw
"""
