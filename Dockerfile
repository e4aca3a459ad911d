# Two images from one file (docs/operation.md):
#   docker build -t aisle .                                  serves; the last stage
#   docker build -t aisle-indexer --target indexer .         builds releases: docker run aisle-indexer build /catalog.csv
# The catalog is no part of either: both share a volume at /var/lib/aisle, which outlives them.
# A tag moves with security fixes; to freeze it, give --build-arg PYTHON=3.11-slim-bookworm@sha256:...
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS serving-packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/aisle
COPY requirements/serve.txt /requirements/
RUN /opt/aisle/bin/pip install -r /requirements/serve.txt

FROM serving-packages AS indexing-packages
# Where torch's CPU build is to be had, if not by the pin from the default index (which may give the one for CUDA).
ARG TORCH_INDEX_URL=""
COPY requirements/index.txt /requirements/
# Without torch's own tests and what compiles against it: 180 MB.
RUN /opt/aisle/bin/pip install ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} "$(grep ^torch== /requirements/index.txt)" \
 && torch="$(echo /opt/aisle/lib/python3*/site-packages/torch)" \
 && rm -rf "$torch/include" "$torch/test" && find "$torch/bin" ! -name torch_shm_manager -type f -delete
RUN /opt/aisle/bin/pip install -r /requirements/index.txt

FROM python:${PYTHON} AS base
# No home, no shell, no password; a fixed number, so that a volume's files keep their owner.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin aisle \
 && mkdir -p /var/lib/aisle && chown aisle /var/lib/aisle
ENV PATH=/opt/aisle/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    AISLE_HOME=/var/lib/aisle HF_HUB_OFFLINE=1 HF_HOME=/tmp/huggingface
WORKDIR /srv/aisle
COPY search search
VOLUME /var/lib/aisle

FROM base AS indexer
COPY --from=indexing-packages /opt/aisle /opt/aisle
COPY indexer indexer
COPY catalog catalog
RUN python -m compileall -q .
USER 10001
ENTRYPOINT ["python", "-m", "indexer"]

FROM base AS serve
COPY --from=serving-packages /opt/aisle /opt/aisle
COPY static static
COPY templates templates
COPY translations translations
COPY web web
COPY app.py ./
RUN python -m compileall -q .
ENV AISLE_HOST=0.0.0.0 AISLE_PORT=8000 AISLE_LOG=json
USER 10001
EXPOSE 8000
# Alive, not ready: a server without a catalog must not be killed for it. /readyz is for the load balancer.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['AISLE_PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["python", "app.py"]
