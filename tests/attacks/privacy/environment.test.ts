import assert from "node:assert/strict";
import { test } from "node:test";
import { engineEnvironment } from "../../../src/engine/process/environment";

test("an engine's process gets what it needs", () => {
  const needed = {
    PATH: "/bin",
    Path: "C:\\",
    HOME: "/root",
    LD_LIBRARY_PATH: "/lib",
    CUDA_VISIBLE_DEVICES: "0",
    OMP_NUM_THREADS: "2",
    ORT_DISABLE_TELEMETRY: "1",
    TF_CPP_MIN_LOG_LEVEL: "2",
    LUVIT_ENGINE_CACHE: "/cache",
    NODE_OPTIONS: "--max-old-space-size=100",
    LC_ALL: "C",
    MALLOC_ARENA_MAX: "1",
    XDG_CACHE_HOME: "/c",
  };
  assert.deepEqual(engineEnvironment(needed), needed);
});

test("no token, key or password reaches it, nor anything else", () => {
  const secrets = {
    HF_TOKEN: "hf_x",
    HUGGING_FACE_HUB_TOKEN: "hf_x",
    AWS_SECRET_ACCESS_KEY: "x",
    AWS_ACCESS_KEY_ID: "x",
    NVIDIA_API_KEY: "x",
    LUVIT_TOKEN: "x",
    TF_PASSWORD: "x",
    OPENAI_API_KEY: "x",
    GITHUB_TOKEN: "x",
    HTTPS_PROXY: "http://user:password@proxy",
    DATABASE_URL: "x",
    JPY_SESSION_NAME: "x",
    npm_config__auth: "x",
  };
  assert.deepEqual(engineEnvironment(secrets), {});
  assert.deepEqual(engineEnvironment({ PATH: undefined }), {});
});
