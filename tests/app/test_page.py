"""The page in a real browser: a room, a click, bad files, a crowd, no other host."""

import gc
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from avsnet.app.answers import CAMERAS, Choices, answer, room

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
DEADLINE = 120_000  # milliseconds, for whatever a busy machine does

gradio = pytest.importorskip("gradio", reason="the page needs avsnet[app]")
playwright = pytest.importorskip("playwright.sync_api", reason="driving a browser needs playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore"),  # of the browser's driver
]


@pytest.fixture(scope="module", autouse=True)
def what_clients_left_open():
    """Their sockets are collected here, and not amid the tests of somebody else."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(scope="module")
def address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "avsnet", "app", "--port", str(port)])
    try:
        for _ in range(240):
            time.sleep(0.5)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, "the server ended"
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def tab(browser, address):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(DEADLINE)
    page.outside = []
    page.on("request", lambda r: r.url.startswith(("http://127.0.0.1", "blob:", "data:")) or page.outside.append(r.url))
    page.goto(address)
    page.get_by_role("button", name="Make me a room").wait_for()
    yield page
    page.close()


def uploaded(tab, picture, echo):
    tab.locator("input[type=file]").nth(0).set_input_files(str(picture))
    if echo is not None:
        tab.locator("input[type=file][accept*=audio]").first.set_input_files(str(echo))
    tab.wait_for_timeout(1500)
    tab.get_by_role("button", name="Find metres").click()


def test_a_click_reads_the_metres_that_python_gives(tab, tmp_path):
    picture, echo, *_ = room(2, tmp_path)
    uploaded(tab, picture, echo)
    tab.get_by_text(re.compile("median depth")).first.wait_for()
    image = tab.locator("#depth img")
    image.wait_for()
    box = image.bounding_box()
    wanted = answer(str(picture), str(echo), Choices(), tmp_path).prediction
    image.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.75})
    tab.get_by_text(re.compile(r"at pixel \d+, \d+")).wait_for()
    said = tab.locator("#reading").inner_text()
    metres, column, row = re.search(r"([\d.]+) m at pixel (\d+), (\d+)", said).groups()
    assert float(metres) == pytest.approx(wanted.depth[int(row), int(column)], abs=0.006)
    height, width = wanted.depth.shape
    assert (int(column) / width, int(row) / height) == pytest.approx((0.5, 0.75), abs=0.03)
    assert not tab.outside


def test_a_room_is_made_and_measured(tab):
    tab.get_by_role("button", name="Make me a room").click()
    tab.get_by_text(re.compile("median depth")).first.wait_for()
    assert {"npz", "ply", "glb", "png"} <= set(re.findall(r"[a-z]{3}\b", tab.locator("#files").inner_text()))
    assert not tab.outside


def test_a_bad_upload_gives_a_readable_message(tab, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF nonsense")
    uploaded(tab, room(2, tmp_path)[0], bad)
    tab.get_by_text(re.compile("bad.wav")).last.wait_for()
    assert "Traceback" not in tab.content()


def test_without_a_picture_it_asks_for_one(tab):
    tab.get_by_role("button", name="Find metres").click()
    tab.get_by_text(re.compile("no picture yet")).wait_for()


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_scrolls_sideways(browser, address, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(address)
    page.get_by_role("button", name="Make me a room").wait_for(timeout=DEADLINE)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_ten_at_once_are_answered(address, tmp_path):
    from gradio_client import Client, handle_file

    picture, echo, *_ = room(2, tmp_path)

    def ask(_: int) -> str:
        client = Client(address, verbose=False, download_files=False)
        files = (handle_file(str(picture)), handle_file(str(echo)))
        fields = ("avsnet_lite0_av", "auto", next(iter(CAMERAS)), None, None, None)
        return client.predict(*files, *fields, api_name="/predict")[3]

    with ThreadPoolExecutor(10) as crowd:
        said = list(crowd.map(ask, range(10)))
    assert all("median depth" in text for text in said) and len(set(said)) == 1


def test_another_name_for_this_machine_is_refused(address):
    request = urllib.request.Request(address, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
    refused.value.close()
