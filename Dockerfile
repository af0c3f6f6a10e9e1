# A worker of Vector Ferry: docker build --tag vector-ferry . && docker run --env-file .env vector-ferry
# The command line is in it too: docker run --rm --env-file .env --entrypoint ferry vector-ferry start --detach
#
# Not run by this project's tests, which need no Docker; they check that what is named here exists.
# Debian, not Alpine: the native parts of Temporal's SDK need glibc.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
# Temporal's SDK takes the system's authorities for TLS, and the slim image has none.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production
COPY package.json LICENSE ./
COPY bin ./bin
COPY supabase ./supabase
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
RUN ln -s /app/bin/ferry.js /usr/local/bin/ferry
USER node
# The worker finishes what it has in hand or hands over; give it a minute: docker stop --time 60.
STOPSIGNAL SIGTERM
# No HEALTHCHECK: nothing sends requests to a worker. One that fails exits; one that hangs loses its batches to the others.
ENTRYPOINT ["node", "dist/worker.js"]
