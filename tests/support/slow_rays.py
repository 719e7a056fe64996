"""A ray and a rectangle at a time: the slow reference of every ray caster."""

import numpy as np


def meet_slowly(quads, origin, direction):
    """Ray parameter at each rectangle: origin + t direction = corner + a u + b v, solved as three equations."""
    crossings = np.full(len(quads), np.inf)
    for number in range(len(quads)):
        matrix = np.column_stack([direction, -quads.u[number], -quads.v[number]])
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        t, a, b = np.linalg.solve(matrix, quads.corner[number] - origin)
        if t > 0 and 0 <= a <= 1 and 0 <= b <= 1:
            crossings[number] = t
    return crossings
