import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { installedEngines } from "../../../src/engine/install/cache";
import { runCommand } from "../../../src/engine/install/command";
import { engineEnvironment } from "../../../src/engine/process/environment";
import { temporaryFolder } from "../../unit/io/support";

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

test("a library that is tried out after it was built gets no tokens either", async () => {
  process.env.HF_TOKEN = "secret";
  const print = ["-e", "console.log(JSON.stringify(process.env))"];
  const environment = engineEnvironment(process.env);
  const { output } = await runCommand(process.execPath, print, { environment, alone: true });
  delete process.env.HF_TOKEN;
  assert.doesNotMatch(output, /secret/);
  assert.match(output, /"PATH"/);
});

test("a damaged description of an installed engine is no engine", () => {
  const cache = temporaryFolder();
  for (const [i, text] of [
    "null",
    "{}",
    "[]",
    '{"addon":{}}',
    "{",
    '{"__proto__":{"addon":"x"}}',
  ].entries()) {
    mkdirSync(join(cache, `engine${i}`));
    writeFileSync(join(cache, `engine${i}`, "manifest.json"), text);
  }
  process.env.LUVIT_ENGINE_CACHE = cache;
  assert.deepEqual(installedEngines({ here: false }), []);
  delete process.env.LUVIT_ENGINE_CACHE;
});
