"""Providers of every wire on real sockets, as strict as their documentation, and all of the same mind.

    caller ─► router ─► fake:  is it what the wire's documentation says?  ─ no ─► a complaint, and the wire's 400
                               what is asked for?                         ─ yes ► the script's answer in its words

    script.py     what the model says to what it is asked; the same on every wire
    shape.py      whether JSON has the fields and types of an SDK's request types, and no others
    fake.py       what all of them do: complain, understand, answer, break off
    openai.py responses.py anthropic.py gemini.py bedrock.py ollama.py      one wire each

Nothing in here knows core/dialects: what a wire looks like is taken from the vendors' SDKs and documentation.
"""
