"""Calibration: how far the speaker is from the ears, from one echo of a wall at a known distance.

Only the difference between the mirrored path and the direct path is heard, L - d0 = c (t - t_direct). With the wall's
distance known, the rig's geometry is left with one unknown, the speaker's distance, and that difference fixes it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from avsnet.audio.ranging import profile_of
from avsnet.audio.recording import listen
from avsnet.audio.rig import Rig
from avsnet.errors import CalibrationError

_NEAREST, _FARTHEST = 0.01, 1.0  # metres from the speaker to the ears' centre
_SEARCH = 0.35  # metres of range round the wall in which its echo must lie, whatever the speaker's distance


def calibrate(waveform: np.ndarray, sample_rate: int, wall: float, rig: Rig | None = None) -> Rig:
    """Move the speaker along its line to the ears' centre until a wall straight ahead is heard where it stands.

    Args:
        waveform: (2, N) or (1, N) in -1..1, recorded before a bare wall, square to it.
        sample_rate: hertz.
        wall: metres from the camera to the wall, at least 0.7 and well nearer than any other surface.
        rig: what is known of the rig; None = the assumed one.

    Returns:
        The rig with its speaker moved and its origin `"calibrated"`.

    Raises:
        AudioError: not a recording.
        EchoError: silent, no direct sound, too short.
        CalibrationError: no echo near the wall, or none that a speaker 0.01 to 1 m from the ears explains.
    """
    if not 0.7 <= wall <= 10.0:
        raise CalibrationError(f"a wall at {wall:g} m does not calibrate; stand 0.7 to 10 m before a bare wall")
    rig = rig or Rig()
    echo = listen(waveform, sample_rate, rig)
    near = [reflection for reflection in profile_of(echo).reflections if abs(reflection.range - wall) < _SEARCH]
    if not near:
        raise CalibrationError(f"no echo within {_SEARCH:g} m of a wall at {wall:g} m; is it bare and square ahead?")
    ears = list(echo.ears)
    excess = max(near, key=lambda reflection: reflection.level).delay * rig.speed_of_sound

    def surplus(distance: float) -> float:
        """How much longer the wall's path is than what was heard, in metres."""
        moved = rig.with_speaker_distance(distance)
        paths = moved.mirrored_paths(np.array([[0.0, 0.0, 1.0]]), np.array([wall]))[0, ears]
        return float(paths.mean() - moved.direct_paths[ears].min()) - excess  # the nearer ear starts the clock

    if surplus(_NEAREST) * surplus(_FARTHEST) > 0.0:
        raise CalibrationError(
            f"no speaker {_NEAREST:g} to {_FARTHEST:g} m from the ears explains an echo {excess:.2f} m behind the "
            f"direct sound of a wall at {wall:g} m; measure the wall again"
        )
    distance = float(brentq(surplus, _NEAREST, _FARTHEST))
    return replace(rig.with_speaker_distance(distance), origin="calibrated")
