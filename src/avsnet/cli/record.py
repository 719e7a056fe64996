"""`avsnet record`: play the sweep, record its echo, and say what to change."""


def record(
    *,
    out: str | None = None,
    list: bool = False,
    picture: str | None = None,
    camera: int | None = None,
    play: str | None = None,
    rig: str | None = None,
    calibrate: float | None = None,
    repeat: int = 1,
    pause: float = 0.5,
    level: float = 0.5,
    microphone: str | None = None,
    speaker: str | None = None,
    channels: int = 2,
    rate: int = 48_000,
    overwrite: bool = False,
) -> int:
    """Play the sweep through this computer's speaker, record its echo, and say what to change.

    Writes NUMBER.wav, and with a picture NUMBER.jpg, into a folder that predict, check and training take; nothing where
    no chirp was heard.

    Args:
        out: folder of captures.
        list: list the sound devices, and record nothing.
        picture: what the camera saw at this moment; it is copied next to the recording.
        camera: number of a camera to take the picture with; needs OpenCV.
        play: WAV of a chirp of your own in place of the sweep, 50 ms at most; rig.json then names it.
        rig: rig.json, where speaker and ears sit and what is played.
        calibrate: metres to a bare wall straight ahead; writes rig.json with the speaker where this echo puts it.
        repeat: how many chirps to average; nobody may move meanwhile.
        pause: seconds from one to the next.
        level: of the chirp's peak, 1 being the loudest.
        microphone: number or part of the name of the device that records.
        speaker: likewise of the one that plays.
        channels: 2, left ear first, or 1.
        rate: hertz of both.
        overwrite: also replace a rig.json.
    """
    from avsnet.audio.sound_card import PortAudioCard, list_devices
    from avsnet.cli.record_files import Wish, take
    from avsnet.errors import OptionError

    if list:
        print("\n".join(list_devices()) or "no sound device")
        return 0
    if out is None:
        raise OptionError("missing: --out; or --list the sound devices")
    wish = Wish(
        out=out,
        picture=picture,
        camera=camera,
        play=play,
        rig=rig,
        calibrate=calibrate,
        repeat=repeat,
        pause=pause,
        level=level,
        channels=channels,
        rate=rate,
        overwrite=overwrite,
    )
    wish.check()
    lines, heard = take(wish, PortAudioCard(microphone, speaker))
    print("\n".join(lines))
    return 0 if heard else 1
