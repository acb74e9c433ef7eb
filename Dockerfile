# Two stages: what builds stays behind; what runs has no compiler, no pip cache, no root.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/alerts
COPY constraints.txt pyproject.toml README.md LICENSE CHANGELOG.md config.yaml ./
COPY alerts alerts
COPY templates templates
RUN /opt/alerts/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt ".[postgresql]" \
 && /opt/alerts/bin/python -m compileall -q /opt/alerts/lib

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin alerts \
 && install -d -o alerts -g alerts -m 0750 /data
COPY --from=build /opt/alerts /opt/alerts
ENV PATH=/opt/alerts/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ALERTS_CONFIG=/data/config.yaml \
    ALERTS_WEB__LISTEN=0.0.0.0:8000 \
    ALERTS_LOG_FORMAT=json
USER alerts
WORKDIR /data
# The config, the database, the caught mails and the articles; the rest of the file system may be read-only.
#   docker run --rm -v alerts:/data news-alert alerts config init
#   docker run --read-only -v alerts:/data -p 8000:8000 news-alert
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4).close()"]
CMD ["alerts", "run"]
