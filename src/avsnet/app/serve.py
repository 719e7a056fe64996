"""The page's server: this machine alone, no outside host, bounded uploads."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from avsnet.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
LARGEST_UPLOAD = "64mb"
LONGEST_QUEUE = 32

# The browser itself refuses every other host, whatever a library's page may name.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; connect-src 'self' ws://127.0.0.1:* blob: data:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; form-action 'self'"
)


def application(port: int) -> FastAPI:
    """The page as a web application.

    Args:
        port: that it will be reached by.

    Raises:
        MissingExtraError: the extra `app` is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio as gr
        from fastapi import FastAPI, Request, Response
        from starlette.middleware.trustedhost import TrustedHostMiddleware
    except ImportError as error:
        raise MissingExtraError(f"the page needs {error.name}; pip install 'avsnet[app]'") from None
    from avsnet.app.page import CSS, page

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # Another site's page must not reach this one by a name of its own that leads here.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])

    @app.middleware("http")
    async def only_this_machine(request: Request, call_next):  # type: ignore[no-untyped-def]
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    blocks = page().queue(max_size=LONGEST_QUEUE, default_concurrency_limit=1)
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=HOST,
        server_port=port,
        max_file_size=LARGEST_UPLOAD,
        footer_links=[],
        ssr_mode=False,
        theme=gr.themes.Base(primary_hue="teal", font=("system-ui", "sans-serif"), font_mono=("monospace",)),
        css=CSS,
    )


def serve(port: int) -> None:
    """Serve the page until interrupted.

    Args:
        port: of this machine.

    Raises:
        MissingExtraError: the extra `app` is not installed.
        OptionError: the port is no port, or taken.
    """
    if not 1 <= port <= 65_535:
        raise OptionError(f"port {port}: give one from 1 to 65535, such as 7860")
    _check_free(port)
    app = application(port)
    import uvicorn

    threading.Thread(target=_warm, daemon=True).start()
    print(f"avsnet: the page is at http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
    uvicorn.run(app, host=HOST, port=port, log_level="warning")


def _check_free(port: int) -> None:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError as error:
            raise OptionError(f"port {port}: cannot be used ({error.strerror}); give another --port") from None


def _warm() -> None:
    """Load what the first prediction needs, while the user looks at the page."""
    from avsnet.models import packaged
    from avsnet.predict import loaded

    loaded(packaged.AV)
