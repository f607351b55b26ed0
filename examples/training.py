"""The decoder's weights, learnt with JAX."""

from collections import deque

import jax
import numpy as np
import optax
from decoder import FACTOR, MARGIN, decode
from photographs import planes, read, shrink
from rich.progress import Progress

PHOTOGRAPHS = ("coffee", "chelsea", "rocket", "camera")


def batches(rng, count=16, size=36):
    """Without end: small squares of shrunken photographs, and what stood there before; all turned at random."""
    pairs = [(planes(shrink(photo, FACTOR)), planes(photo)) for photo in (read(name, FACTOR) for name in PHOTOGRAPHS)]
    inner = FACTOR * (size - 2 * MARGIN)
    while True:
        batch = []
        for _ in range(count):
            small, large = pairs[rng.integers(len(pairs))]
            colour, top, left = (rng.integers(n) for n in (len(small), *(n - size + 1 for n in small.shape[2:])))
            y, x = FACTOR * (top + MARGIN), FACTOR * (left + MARGIN)
            before = large[colour, :, y : y + inner, x : x + inner]
            pair = small[colour, :, top : top + size, left : left + size], before
            turns = rng.integers(4)
            batch.append([np.rot90(square, turns, axes=(1, 2)) for square in pair])
        yield [np.stack(squares) for squares in zip(*batch, strict=True)]


def train(weights, steps, rng, console):
    """Return the weights after so many steps of Adam."""
    losses = deque(maxlen=100)
    adam = optax.adam(optax.cosine_decay_schedule(3e-3, steps))
    state = adam.init(weights)

    @jax.jit
    def step(weights, state, small, large):
        loss, gradient = jax.value_and_grad(lambda weights: ((decode(small, weights) - large) ** 2).mean())(weights)
        update, state = adam.update(gradient, state)
        return optax.apply_updates(weights, update), state, loss

    with Progress(*Progress.get_default_columns(), "{task.fields[loss]}", console=console) as progress:
        task = progress.add_task("training with JAX", total=steps, loss="compiling")
        for _, (small, large) in zip(range(steps), batches(rng), strict=False):
            weights, state, loss = step(weights, state, small, large)
            losses.append(float(loss))
            progress.update(task, advance=1, loss=f"loss {np.mean(losses):.5f}")
    return jax.device_get(weights)
