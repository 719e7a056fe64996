# docker build -t avsnet .
# docker run --rm --user "$(id -u)" -v "$PWD:/data" avsnet predict kitchen.jpg --echo kitchen.wav --out results
FROM python:3.12-slim
# PyTorch without CUDA is a tenth of the size: --build-arg PIP_EXTRA_INDEX_URL=... as pytorch.org says for "CPU".
ARG PIP_EXTRA_INDEX_URL
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir -c constraints.txt ".[media]" && useradd avsnet
ENV HOME=/tmp
USER avsnet
WORKDIR /data
ENTRYPOINT ["avsnet"]
