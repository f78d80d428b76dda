import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { inspect } from "node:util";
import { chooseEngine, ready, setEngineDefaults } from "../../../src/engine";
import { isLuvitError } from "../nn/support";
import { withOnnxRuntime } from "./support";

afterEach(() => {
  setEngineDefaults({});
  delete process.env.LUVIT_ENGINE;
  delete process.env.LUVIT_PRECISION;
});

test("onnxruntime is chosen where nothing is asked for", withOnnxRuntime, () => {
  const { engine, demanded, passedOver } = chooseEngine();
  assert.deepEqual(
    { engine, demanded, passedOver },
    { engine: "onnxruntime", demanded: false, passedOver: [] },
  );
});

test("an option goes before what ready was given, that before the environment", () => {
  process.env.LUVIT_ENGINE = "abacus";
  assert.throws(
    () => chooseEngine(),
    isLuvitError("bad-argument", 'engine "abacus"', "onnxruntime, tensorflow, eager"),
  );
  setEngineDefaults({ engine: "eager" });
  assert.equal(chooseEngine().engine, "eager");
  assert.equal(chooseEngine().demanded, true);
  setEngineDefaults({ engine: "tensorflow" });
  assert.equal(chooseEngine({ engine: "eager" }).engine, "eager");
});

test("an engine that cannot do what is asked for is refused, and so is a precision there is not", () => {
  assert.throws(
    () => chooseEngine({ engine: "eager", precision: "bfloat16" }),
    isLuvitError("engine", '"eager"', "float32 only"),
  );
  assert.throws(
    () => chooseEngine({ engine: "tensorflow", frozen: "int8" }),
    isLuvitError("engine", '"tensorflow"', "int8"),
  );
  assert.throws(
    () => chooseEngine({ precision: "float8" as "float32" }),
    isLuvitError("bad-argument", '"float8"', "float32 or bfloat16"),
  );
});

test(
  "ready says in one line what graphs and cells run on, and why not on something else",
  withOnnxRuntime,
  async () => {
    const status = await ready({ backend: "wasm", threads: 1 });
    assert.match(
      inspect(status),
      /^engine: onnxruntime cpu \(1 thread, float32\) · cells: tfjs wasm \(.+, 1 thread, SIMD, float32\).* · luvit \d+\.\d+\.\d+$/,
    );
    assert.equal(chooseEngine().options.threads, 1, "it holds for what comes after");
    const eager = await ready({ engine: "eager" });
    assert.match(inspect(eager), /^engine: op by op · cells: tfjs wasm/);
  },
);
