# docs/container.md: what each layer is for, and how to run the image.
ARG BASE=python:3.13-slim

# pip and what it leaves behind stay in this stage, and of packages what nothing loads: tests, sources in C, stubs for
# type checkers, ONNX Runtime's tools and its second copy of itself, which is for programs in C, symbols for debuggers.
FROM ${BASE} AS build
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends binutils  # strip
COPY requirements.txt .
RUN python -m venv --without-pip /venv \
    && python -m venv /pip \
    && /pip/bin/pip --python /venv/bin/python install --no-cache-dir --only-binary :all: --require-hashes -r requirements.txt \
    && find /venv \( -name tests -o -path '*/backend/test' -o -name 'libonnxruntime.so.*' \
        -o -path '*/onnxruntime/tools' -o -path '*/onnxruntime/transformers' -o -path '*/onnxruntime/quantization' \
        -o -name '*.[ach]' -o -name '*.cc' -o -name '*.proto' -o -name '*.py[xi]' -o -name '*.pxd' \) -prune -exec rm -r {} + \
    && find /venv -name '*.so*' -exec strip --strip-unneeded {} +
COPY gunicorn.conf.py ./
COPY config config
COPY inference inference
COPY server server
COPY models/hi-demo models/hi-demo
# Whoever has no right to write finds bytecode and graphs here; ASR_CACHE names where they can be made for the processor.
RUN ORT_DISABLE_TELEMETRY=1 /venv/bin/python -m inference prepare models/hi-demo --cache build/cache \
    && /venv/bin/python -m compileall -q . && chmod -R a+rX .

FROM ${BASE}
ARG BASE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hindi-asr" \
      org.opencontainers.image.description="Hindi speech recognition server for CPUs" \
      org.opencontainers.image.licenses="Apache-2.0 AND CC-BY-SA-4.0 AND LGPL-3.0-or-later AND GPL-2.0-or-later" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
# The base's own pip: nothing is installed into a container that runs.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip \
        /usr/lib/python3*/ensurepip /usr/share/python-wheels \
    && echo 'asr:x:10001:10001::/nonexistent:/usr/sbin/nologin' >>/etc/passwd && echo 'asr:x:10001:' >>/etc/group
COPY --from=build /venv /venv
WORKDIR /app
COPY --from=build /app/models models
COPY --from=build /app/build build
COPY LICENSE ./
COPY --from=build /app/gunicorn.conf.py ./
COPY --from=build /app/config config
COPY --from=build /app/inference inference
COPY --from=build /app/server server
USER 10001:10001
# ASR_AUTH=none: `docker run -p` works in one line. Keys, or an issuer, close the door all the same.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1 ASR_AUTH=none
EXPOSE 8000
# Gunicorn forwards nothing to pool processes: it is process 1, and they end with their worker.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", \
    "from http.client import HTTPConnection as H; c = H('127.0.0.1', 8000, timeout=2); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["python", "-m", "gunicorn", "server.asgi:app"]
