import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StateDict } from "../../src/core/hostTensor";
import { startBackend, tf } from "../../src/core/tf";
import { fileSource } from "../../src/io/bytes/byteSource";
import { openSafetensors } from "../../src/io/safetensors";
import { llavit } from "../../src/models";
import { Reader } from "../../src/train/reader";
import { assertClose, valuesOf } from "../unit/nn/support";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("torch", "transformers", "safetensors");
const folder = mkdtempSync(join(tmpdir(), "luvit-llava-interop-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let io: StateDict = new Map();

before(async () => {
  await startBackend();
  if (skip) return;
  runPython("llava.py", folder);
  const source = await fileSource(join(folder, "io.safetensors"));
  io = await (await openSafetensors(source)).readTensors();
  await source.close();
});

const numbers = (name: string) => io.get(name)!.data;
const row = (name: string, at: number) => {
  const { shape, data } = io.get(name)!;
  const size = data.length / shape[0];
  return data.slice(at * size, (at + 1) * size);
};

for (const name of ["llama", "qwen2", "mistral"]) {
  for (const kind of ["saved", "modules", "old", "bin"]) {
    test(`transformers' LLaVA on ${name}, ${kind}, gives its logits, whatever stands before the image`, {
      skip,
    }, async () => {
      const model = await llavit.open(join(folder, name, kind));
      const side = model.vision_tower.config.imageSize;
      for (const [at, start] of numbers(`${name}.starts`).entries()) {
        const ids = Int32Array.from(row(`${name}.ids`, at));
        const logits = valuesOf(() =>
          model.forward(
            {
              images: tf.tensor(row(`${name}.images`, at), [1, 3, side, side]),
              ids: tf.tensor(ids, [1, ids.length], "int32"),
            },
            start,
          ),
        );
        assertClose(logits, row(`${name}.logits`, at), 2e-4, `${kind}, image from ${start}`);
      }
    });
  }

  test(`transformers' LLaVA on ${name} gives the logits of a batch whose images begin at different tokens`, {
    skip,
  }, async () => {
    const model = await llavit.open(join(folder, name, "saved"));
    const given = (what: string) => io.get(`${name}.${what}`)!;
    const [images, ids] = [given("images"), given("ids")];
    const logits = valuesOf(() =>
      model.forward(
        {
          images: tf.tensor(images.data, [...images.shape]),
          ids: tf.tensor(ids.data, [...ids.shape], "int32"),
        },
        Array.from(numbers(`${name}.starts`)),
      ),
    );
    assertClose(logits, numbers(`${name}.logits`), 2e-4);
  });

  test(`transformers' LLaVA on ${name} says the same greedily, what was read being kept`, {
    skip,
  }, async () => {
    const model = await llavit.open(join(folder, name, "bin"));
    const start = numbers(`${name}.starts`)[1];
    const ids = Array.from(row(`${name}.ids`, 1));
    const reader = await Reader.open(model, { start, capacity: ids.length + 8 });
    const said: number[] = [];
    let logits = await reader.begin(row(`${name}.images`, 1) as Float32Array, ids);
    while (said.length < 6) {
      said.push(logits.indexOf(Math.max(...logits)));
      logits = await reader.on([said.at(-1)!]);
    }
    await reader.dispose();
    assert.deepEqual(said, Array.from(numbers(`${name}.said`)));
  });
}
