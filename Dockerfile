# Two stages: what builds stays behind; what runs has no compiler, no installer of its own, no root.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/alerts
COPY constraints.txt pyproject.toml README.md LICENSE config.yaml ./
COPY alerts alerts
COPY templates templates
# Byte code is made here, once, and never looked at again for its age: at run time nothing of it can be written.
RUN pip --python /opt/alerts/bin/python install \
      --no-cache-dir --no-compile --disable-pip-version-check --root-user-action=ignore \
      --constraint constraints.txt ".[cluster,page]" \
 && /opt/alerts/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/alerts/lib

FROM python:3.13-slim
RUN groupadd --gid 10001 alerts \
 && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin alerts \
 && install -d -o alerts -g alerts -m 0750 /data
COPY --from=build /opt/alerts /opt/alerts
ENV PATH=/opt/alerts/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ALERTS_CONFIG=/data/config.yaml \
    ALERTS_WEB__LISTEN=0.0.0.0:8000 \
    ALERTS_LOG_FORMAT=json
# By number: an orchestrator that demands "not root" cannot look a name up.
USER 10001:10001
WORKDIR /data
# The config, the database, the caught mails and the articles; the rest of the file system may be read-only.
#   docker run --rm -v alerts:/data news-alert alerts config init
#   docker run --read-only --tmpfs /tmp --stop-timeout 40 -v alerts:/data -p 8000:8000 news-alert
# With PostgreSQL and several nodes: compose.yaml. All of it: docs/deploying.md.
VOLUME /data
EXPOSE 8000
# `alerts run` finishes what is in flight, ends its own senders and is gone within 30 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4).close()"]
CMD ["alerts", "run"]
