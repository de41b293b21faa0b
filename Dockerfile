# One image for master and workers. BASE: any Debian or Ubuntu whose python3 is 3.11 or newer; plain
# processes run with the programs of this image, so what an application needs goes in here too.
ARG BASE=python:3.13-slim
FROM ${BASE}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      curl iproute2 nftables procps python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE /src/
COPY busk8s /src/busk8s
RUN python3 -m venv /opt/busk8s \
 && /opt/busk8s/bin/pip install --no-cache-dir '/src[kubectl]' \
 && rm -rf /src
ENV PATH=/opt/busk8s/bin:$PATH PYTHONUNBUFFERED=1
ENTRYPOINT ["busk8s"]
CMD ["--help"]
