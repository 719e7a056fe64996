"""What a release is made of agrees: one version everywhere, and a container's recipe that names what is there."""

import re
from fnmatch import fnmatch

from places import ROOT


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version_stands_in_pyproject_changelog_and_citation():
    (version,) = re.findall(r'^version = "(.+)"$', text_of("pyproject.toml"), re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", headings[1])
    assert f"\nversion: {version}\n" in text_of("CITATION.cff")


def test_the_container_copies_what_is_there_and_what_the_build_may_see():
    copied = [
        word for line in re.findall(r"^COPY (.+) \S+$", text_of("Dockerfile"), re.MULTILINE) for word in line.split()
    ]
    assert {"pyproject.toml", "README.md", "LICENSE", "src"} <= set(copied)
    seen = [line[1:] for line in text_of(".dockerignore").splitlines() if line.startswith("!")]
    for name in copied:
        assert (ROOT / name).exists()
        assert any(fnmatch(name, pattern) for pattern in seen), f".dockerignore hides {name}"
    assert all((ROOT / name).exists() for name in seen)


def test_the_container_runs_avsnet_and_not_as_root():
    lines = [line for line in text_of("Dockerfile").splitlines() if not line.startswith("#")]
    assert lines[-1] == 'ENTRYPOINT ["avsnet"]'
    assert lines.index("USER avsnet") > next(number for number, line in enumerate(lines) if "useradd avsnet" in line)
    assert not any("://" in line for line in lines)
