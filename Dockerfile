# Two images: `docker build --target web .` and `docker build --target runner .`

FROM node:22-bookworm-slim AS frontend
WORKDIR /build
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
RUN npm run build

FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Only data is the user's: what runs cannot change its own code.
RUN useradd --create-home --uid 10001 livestudio && install -d -o livestudio -g livestudio /data
WORKDIR /app
COPY requirements/ requirements/
RUN pip install -r requirements/base.txt -c requirements/lock.txt

# The MySQL driver has no wheel: compile it here and leave the compiler behind.
FROM base AS driver
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev pkg-config libmariadb-dev
RUN pip wheel --no-deps --wheel-dir /wheels "$(grep -o '^mysqlclient==[^ ]*' requirements/mysql.txt)"

# Web, control loop and background jobs. Never imports torch or a codec.
FROM base AS web
RUN apt-get update \
 && apt-get install -y --no-install-recommends libmariadb3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=driver /wheels /wheels
RUN pip install --no-deps /wheels/*.whl && rm -r /wheels
COPY . .
COPY --from=frontend /build/dist frontend/dist
# What finds faces in films: the presenters' builds run here.
ARG FACE_MESH=node_modules/@mediapipe/face_mesh/face_mesh_solution_packed_assets.data
COPY --from=frontend /build/${FACE_MESH} frontend/${FACE_MESH}
# Needs no secret: embedded mode makes one in a folder that is thrown away. Compiled here, for the
# user may not: each runner and each of its workers would compile everything again.
RUN DATA_DIR=/tmp/build python manage.py collectstatic --noinput && rm -r /tmp/build \
 && python -m compileall -q .
USER livestudio
ENV MODE=production DATA_DIR=/data
VOLUME /data
EXPOSE 8000
# Behind a proxy that overwrites X-Forwarded-For: see deploy/nginx/.
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "--proxy-headers", "livestudio.asgi:application"]

# One live broadcast. Has no database driver and no web settings; the token comes on stdin.
# With neural presenters: docker build --target runner --build-arg REQUIREMENTS=neural .
# The NVIDIA container runtime brings the driver, PyTorch brings CUDA.
FROM base AS runner
ARG REQUIREMENTS=base
RUN pip install -r requirements/${REQUIREMENTS}.txt -c requirements/lock.txt \
 && if [ "${REQUIREMENTS}" = neural ]; then pip install --no-deps -r requirements/whisper.txt; fi
COPY LICENSE NOTICE ./
COPY inference/ inference/
RUN python -m compileall -q .
USER livestudio
ENV DATA_DIR=/data NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
VOLUME /data
ENTRYPOINT ["python", "-m", "inference.runner"]
