# chops in a container: docker build -t chops . && docker run --rm -v chroma-data:/chroma-data chops db info
# Node 24 has SQLite built in; of the native modules only hnswlib-node needs a compiler, which stays in the first stage.
FROM node:24-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund
RUN npm run build && mkdir -p /packages && npm pack --ignore-scripts --workspaces --include-workspace-root --pack-destination /packages
RUN mkdir -p /opt/chops && cd /opt/chops && npm install --ignore-scripts --omit=dev --no-audit --no-fund /packages/*.tgz
RUN cd /opt/chops && npm rebuild hnswlib-node usearch

FROM node:24-slim
COPY --from=build /opt/chops /opt/chops
RUN ln -s /opt/chops/node_modules/.bin/chops /usr/local/bin/chops && mkdir /chroma-data && chown node:node /chroma-data
ENV CHROMA_PERSIST_DIR=/chroma-data
VOLUME /chroma-data
USER node
# chops ends on SIGINT and SIGTERM by itself, also as process 1: no init is needed.
ENTRYPOINT ["chops"]
CMD ["--help"]
