# Two stages: pip and its caches stay in the first.
FROM python:3.11-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 asr
WORKDIR /app
COPY --from=build /venv /venv
COPY gunicorn.conf.py ./
COPY config config
COPY inference inference
COPY server server
COPY models models
RUN install -d -o asr build build/cache
USER asr
# ASR_AUTH=none: `docker run -p` works in one line. Keys, or an issuer, close the door all the same.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1 ASR_AUTH=none
EXPOSE 8000
# Gunicorn forwards nothing to pool processes: it is process 1, and they end with their worker.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/readyz', timeout=2)"]
CMD ["python", "-m", "gunicorn", "server.asgi:app"]
