"""`avsnet chirp`: the sweep as a sound file that any phone plays."""

from pathlib import Path

from avsnet.errors import OptionError, OutputError


def chirp(*, out: str, count: int = 1, pause: float = 0.5, rate: int = 48_000, overwrite: bool = False) -> int:
    """Write the 3 ms sweep from 20 Hz to 20 kHz, which every verb listens for, as a WAV to be played.

    Args:
        out: WAV to write, 16 bits, one channel.
        count: how many sweeps.
        pause: seconds of silence after each; rooms need half a second to fall silent.
        rate: hertz, 44100 or more, as the player's own if it is known.
        overwrite: also replace a file that avsnet did not write.
    """
    import soundfile

    from avsnet.audio.chirp import chirp_train, sweep
    from avsnet.cli.results import refuse_foreign
    from avsnet.io.authorship import software
    from avsnet.io.whole_files import atomic_path

    path = Path(out)
    if path.suffix.lower() != ".wav":
        raise OutputError(f"{out}: a chirp is written as NAME.wav; lossy formats such as MP3 smear it")
    if not 44_100 <= rate <= 192_000:
        raise OptionError(f"--rate is {rate}, but must be 44100 to 192000: the sweep goes up to 20 kHz")
    signal = chirp_train(sweep(rate), rate, count, pause)
    refuse_foreign([path], overwrite)
    with (
        atomic_path(path) as temporary,
        soundfile.SoundFile(temporary, "w", rate, 1, subtype="PCM_16", format="WAV") as file,
    ):
        file.software = software()
        file.write(signal)
    times = "once" if count == 1 else f"{count} times"
    print(f"{path}: the sweep {times} in {len(signal) / rate:.1f} s at {rate} Hz; record first, then play it, loud")
    return 0
