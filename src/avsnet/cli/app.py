"""`avsnet app`: the page on this machine."""


def app(*, port: int = 7860) -> int:
    """Open a page on this machine: drop a picture and a recording, click to read metres.

    Args:
        port: of 127.0.0.1, where the page is.
    """
    from avsnet.app.serve import serve

    serve(port)
    return 0
