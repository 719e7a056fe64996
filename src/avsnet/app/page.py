"""How the page looks: fields on the left, what was found on the right, on a phone one above the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from avsnet.app.answers import CAMERAS, MODELS, SCALES, Answer, Choices, answer, clicked, room
from avsnet.errors import AvsnetError, one_line
from avsnet.prediction import Prediction
from avsnet.viz import COLOUR_MAP

TITLE = "avsnet: metres by listening"

LEAD = (
    "A picture gives the *shape* of depth, the echo of a short chirp its *scale*. Drop a picture and the recording of "
    "a chirp, or let a room be made; then click anywhere to read metres. Nothing leaves this machine."
)

CSS = """
.gradio-container {max-width: 1280px !important; margin: 0 auto !important}
#reading p {font-size: 1.15rem}
.colour-bar {display: flex; align-items: center; gap: .6rem; font-variant-numeric: tabular-nums}
.colour-bar > div {flex: 1; height: .8rem; border-radius: .4rem}
"""

_CLICK = "Click into the depth picture to read metres."


def page() -> gr.Blocks:
    """The whole page, ready to be served."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600)) as blocks:
        gr.Markdown(f"# {TITLE}\n{LEAD}")
        prediction = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                picture = gr.Image(label="picture", type="filepath", height=280)
                echo = gr.Audio(label="recording of the echo (left ear first)", type="filepath", sources=["upload"])
                with gr.Row():
                    made = gr.Button("Make me a room")
                    go = gr.Button("Find metres", variant="primary")
                fields = _fields()
            with gr.Column(scale=3, min_width=320):
                depth = gr.Image(
                    elem_id="depth", label="depth", interactive=False, format="png", buttons=["fullscreen"]
                )
                bar = gr.HTML()
                read = gr.Markdown(_CLICK, elem_id="reading")
                said = gr.Markdown()
        with gr.Column(visible=False) as reasons:
            gr.Markdown("### How sure the scale is, and what was heard")
            evidence = gr.Image(
                show_label=False, container=False, interactive=False, format="png", buttons=["fullscreen"]
            )
        with gr.Row(visible=False) as more:
            with gr.Column(scale=3, min_width=320):
                gr.Markdown("### The points: drag to turn, scroll to come nearer")
                cloud = gr.HTML()
            with gr.Column(scale=2, min_width=320):
                gr.Markdown("### Take away")
                files = gr.File(elem_id="files", show_label=False, file_count="multiple", interactive=False)
        shown = [prediction, depth, bar, read, said, more, cloud, reasons, evidence, files]
        inputs = [picture, echo, *fields.values()]
        go.click(_found, inputs, shown, api_name="predict", concurrency_id="predict")
        made.click(
            _room, None, [picture, echo, fields["camera_file"], fields["rig_file"]], api_visibility="private"
        ).success(_found, inputs, shown, api_visibility="private", concurrency_id="predict")
        # What belonged to the made room does not belong to a user's own picture.
        picture.upload(
            lambda: (None, None), None, [fields["camera_file"], fields["rig_file"]], api_visibility="private"
        )
        depth.select(_read, prediction, read, api_visibility="private", show_progress="hidden")
    return blocks


def _fields() -> dict[str, Any]:
    """What can be chosen; the names are those of `Choices`."""
    with gr.Accordion("model, camera and rig", open=False):
        return {
            "model": gr.Dropdown(
                list(MODELS),
                value=MODELS[0],
                allow_custom_value=True,
                label="depth model",
                info="or onnx:PATH, huggingface:ID, NAME=PATH, as `avsnet models` lists them",
            ),
            "scale_from": gr.Dropdown(
                list(SCALES),
                value=SCALES[0],
                allow_custom_value=True,
                label="metres from",
                info="or known:x,y,metres, the depth of one pixel",
            ),
            "camera": gr.Dropdown(list(CAMERAS), value=next(iter(CAMERAS)), label="camera"),
            "fov": gr.Number(
                None, label="field of view (degrees, horizontal)", info="in place of the camera; 0: by that"
            ),
            "camera_file": gr.File(label="camera file (in place of both)", file_types=[".json", ".txt"], height=110),
            "rig_file": gr.File(label="rig.json: where speaker and ears sit", file_types=[".json"], height=110),
        }


def _found(picture: str | None, echo: str | None, *values: Any) -> tuple[Any, ...]:
    model, scale_from, camera, fov, camera_file, rig_file = values
    choices = Choices(model, scale_from or SCALES[0], camera, fov or None, camera_file, rig_file)
    with _said_in_words():
        found = answer(picture, echo, choices)
    return (
        found.prediction,
        str(found.picture),
        _colour_bar(found),
        _CLICK,
        f"**{found.summary}**\n\n{found.words}",
        gr.update(visible=True),
        found.cloud,
        gr.update(visible=found.evidence is not None),
        None if found.evidence is None else str(found.evidence),
        [str(path) for path in found.files],
    )


def _room() -> tuple[str, ...]:
    return tuple(str(path) for path in room(random.randrange(1000)))


def _read(prediction: Prediction | None, event: gr.SelectData) -> str:
    if prediction is None:
        return _CLICK
    with _said_in_words():
        return clicked(prediction, event.index)


@contextmanager
def _said_in_words() -> Iterator[None]:
    """An error of ours is a message on the page."""
    try:
        yield
    except AvsnetError as error:
        raise gr.Error(one_line(error), print_exception=False, title="That does not work yet") from None


def _colour_bar(found: Answer) -> str:
    """The one scale of colours, near on the left, that the depth picture is painted in."""
    from avsnet.canvas import colormaps

    colours = (colormaps[COLOUR_MAP](step / 10, bytes=True)[:3] for step in range(11))
    stops = ", ".join("rgb({}, {}, {})".format(*colour) for colour in colours)
    near, far = (f"{metres:.2f} {found.prediction.unit}" for metres in found.limits)
    return (
        f'<div class="colour-bar"><span>{near}</span><div style="background: linear-gradient(to right, {stops})"></div>'
        f"<span>{far}</span></div>"
    )
