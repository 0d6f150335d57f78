"""Threads and tasks beside the loop's steps: who works in a pool, who keeps the GIL, where a task waits.

A *worker* is a thread of a pool. A *token* is the right to one worker. A *holder* is the request, with its task, that
has a token. A *job* is one call that was given to asyncio's default executor.
"""
