# An image of the daemon. Not built here yet: the machine it was written on cannot run docker. The npm step below
# was tried on its own, in an empty directory.
#
# cristal works on the host's mounts and namespaces, so it needs the host's view of them:
#
#   docker run -d --name cristal --restart always \
#     --privileged --pid host --network host \
#     -v /run:/run:rshared \
#     -v /var/lib:/var/lib:rshared \
#     -v /var/log:/var/log \
#     -v /etc/cni:/etc/cni -v /opt/cni/bin:/opt/cni/bin \
#     -v /etc/containerd/certs.d:/etc/containerd/certs.d:ro \
#     -v /etc/cristal:/etc/cristal:ro \
#     -v /sys/fs/cgroup:/sys/fs/cgroup \
#     cristal
#
# /run: the sockets of containerd and cristal, pinned namespaces and sandbox files. Shared propagation, or containerd
#   would not see the pins that are mounted after the start.
# /var/lib: cristal's own root, containerd's snapshots, and the kubelet's volumes, which are mounted while we run.
# /var/log: the kubelet reads container logs from /var/log/pods.
# /opt/cni/bin: plugins run in this container; they must be static or find their libraries here.
# Host paths that pods mount are resolved here as well: mount what yours use at the same place.

ARG NODE_TAG=26-slim

FROM node:${NODE_TAG} AS dependencies
WORKDIR /opt/cristal
COPY package.json package-lock.json .npmrc ./
# --ignore-scripts: `prepare` would make types that only the compiler reads. koffi brings its binary as an optional
# package, so those must stay; the packages node-linux-* repeat what the base image is, and must not.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf node_modules/node-linux-* node_modules/.bin/node

FROM node:${NODE_TAG}
LABEL org.opencontainers.image.title=cristal \
      org.opencontainers.image.licenses=Apache-2.0
WORKDIR /opt/cristal
COPY --from=dependencies /opt/cristal/node_modules node_modules
COPY package.json LICENSE ./
COPY proto proto
COPY src src
# What is compiled now need not be at each start.
RUN node src/start.ts --help >/dev/null
ENV NODE_ENV=production
STOPSIGNAL SIGTERM
# As main process and without a shell, so that SIGTERM arrives.
ENTRYPOINT ["node", "src/start.ts"]
