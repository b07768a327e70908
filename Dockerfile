# One image for web, worker and migrations; the command says which. Build: docker build -t aftersale .
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/aftersale

COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock

COPY pyproject.toml README.md LICENSE wsgi.py ./
COPY migrations migrations
COPY static static
COPY docs/openapi.json docs/openapi.json
COPY templates templates
COPY portal portal
RUN pybabel -q compile -d portal/translations \
    && pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && useradd --system --no-create-home aftersale
USER aftersale

EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["portal", "web", "--host", "0.0.0.0"]
