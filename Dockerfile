# JupyterLab with the kernel "TypeScript · LUViT" and the notebooks, for one user who is not root:
#   docker build -t luvit . && docker run --rm -p 8888:8888 luvit
FROM node:22-bookworm-slim AS built
WORKDIR /opt/luvit
COPY . .
RUN scripts/install-steps.sh --prefix /usr/local

FROM node:22-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv fonts-dejavu-core \
 && rm -rf /var/lib/apt/lists/*
COPY scripts/jupyter.txt /opt/jupyter/requirements.txt
RUN python3 -m venv /opt/jupyter/venv \
 && /opt/jupyter/venv/bin/pip install --no-cache-dir -r /opt/jupyter/requirements.txt
# The kernel's folder has all that it needs; the checkout that it was built in stays behind.
COPY --from=built /usr/local/share/jupyter/kernels/luvit /usr/local/share/jupyter/kernels/luvit
COPY --chown=node:node notebooks /home/node/luvit/notebooks
COPY --chown=node:node data /home/node/luvit/data
COPY --chown=node:node docs /home/node/luvit/docs
USER node
WORKDIR /home/node/luvit/notebooks
EXPOSE 8888
CMD ["/opt/jupyter/venv/bin/jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
