"""Seconds of a call: between CUDA events where there is a GPU, by the wall clock where there is none."""

import time
from statistics import median

__all__ = ["Budget", "cuda_seconds", "graph_seconds", "wall_seconds"]

CALLS_S = 2e-3  # calls between two events: enough for the events to cost nothing
REPEATS = 9


class Budget:
    """The time that the whole run may take."""

    def __init__(self, seconds, clock=time.monotonic):
        self.end, self.clock = clock() + seconds, clock

    def left(self):
        """Seconds that are left, or a negative number."""
        return self.end - self.clock()


def wall_seconds(calls, finish, repeats=REPEATS, least=CALLS_S):
    """Median seconds of a call, the calls in turn: their inputs differ, so that no cache holds what the next reads."""
    for call in calls:
        call()
    finish()
    start = time.perf_counter()
    calls[0]()
    finish()
    rounds = max(1, min(200, int(least / max(1e-7, time.perf_counter() - start)) // len(calls)))
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(rounds):
            for call in calls:
                call()
        finish()
        found.append((time.perf_counter() - start) / rounds / len(calls))
    return median(found)


def cuda_seconds(calls, torch, repeats=REPEATS, least=CALLS_S):
    """The same between events on the current stream, which CuPy and PyTorch share where neither is told another."""
    rounds = max(1, min(200, int(least / wall_seconds(calls, torch.cuda.synchronize, 1, least)) // len(calls)))
    found = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(rounds):
            for call in calls:
                call()
        end.record()
        end.synchronize()
        found.append(start.elapsed_time(end) * 1e-3 / rounds / len(calls))
    return median(found)


def graph_seconds(calls, torch, cupy):
    """The calls as one CUDA graph, without what Python and each launch cost; None where they cannot be captured."""
    try:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        with torch.cuda.stream(stream), cupy.cuda.ExternalStream(stream.cuda_stream):
            for call in calls:  # memory for this stream
                call()
            torch.cuda.synchronize()
            with torch.cuda.graph(graph, stream=stream):
                kept = [call() for call in calls]
        seconds = cuda_seconds([graph.replay], torch) / len(calls)
        del kept
    except Exception as error:  # noqa: BLE001  a library that cannot be captured is no reason to stop
        torch.cuda.synchronize()
        print(f"      no graph: {type(error).__name__}: {str(error)[:100]}")
        return None
    return seconds
