"""``python -m upconv bench``: upconv against each library's own op, against NumPy's peers, and against two limits.

A contender is one way to compute a layer, and has a process of its own, because the thread pools of two libraries that
spin on the same cores distort both by ten times. `conductor` lets one process run at a time; `worker` is what runs in
it; `contenders` has the calls; the rest counts and draws.
"""
