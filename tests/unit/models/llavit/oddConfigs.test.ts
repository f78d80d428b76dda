import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend } from "../../../../src/core/tf";
import { llavit } from "../../../../src/models";
import { isLuvitError, repository } from "../../nn/support";

const llava = join(repository, "tests", "unit", "models", "llavit", "fixtures", "llava");
const folder = mkdtempSync(join(tmpdir(), "luvit-odd-llava-"));
before(() => startBackend());
after(() => rmSync(folder, { recursive: true, force: true }));

const config = JSON.parse(readFileSync(join(llava, "config.json"), "utf8"));
let count = 0;

/** The small LLaVA under another config. */
function under(changed: unknown): string {
  const place = join(folder, String(count++));
  cpSync(llava, place, { recursive: true });
  writeFileSync(join(place, "config.json"), typeof changed === "string" ? changed : JSON.stringify(changed));
  return place;
}

const vision = (change: object) => ({ ...config, vision_config: { ...config.vision_config, ...change } });
const text = (change: object) => ({ ...config, text_config: { ...config.text_config, ...change } });

test("numbers of blocks that the file does not have are refused before any is made", async () => {
  for (const num_hidden_layers of [1e8, 1e4, 7]) {
    const said = `num_hidden_layers is ${num_hidden_layers}, the file has tensors of`;
    await assert.rejects(
      llavit.open(under(vision({ num_hidden_layers }))),
      isLuvitError("bad-file", "vision_config", said),
    );
    await assert.rejects(
      llavit.open(under(text({ num_hidden_layers }))),
      isLuvitError("bad-file", "text_config", said),
    );
  }
});

test("a file without tensors of the two networks says which of them are not there", async () => {
  const place = under(config);
  const header = Buffer.from("{}");
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const empty = join(folder, "empty");
  cpSync(join(place, "config.json"), join(empty, "config.json"));
  writeFileSync(join(empty, "model.safetensors"), Buffer.concat([length, header]));
  await assert.rejects(
    llavit.open(empty),
    isLuvitError(
      "bad-file",
      "vision_config: the file has no tensors",
      "text_config: the file has no tensors",
    ),
  );
});

const odd: readonly [name: string, config: unknown, ...texts: string[]][] = [
  ["a list", [], "expected a JSON object"],
  ["cut off", "{", "not JSON"],
  ["nested without end", "[".repeat(200_000), "not JSON"],
  ["without a picture's part", { ...config, vision_config: [] }, "model_type"],
  ["of another tower", vision({ model_type: "siglip_vision_model" }), "siglip_vision_model"],
  ["of another language model", text({ model_type: "mixtral" }), "mixtral"],
  ["patches of no size", vision({ patch_size: 0 }), "patch_size"],
  ["patches that do not divide the image", vision({ patch_size: 5 }), "no multiple of patch_size 5"],
  ["layers as text", { ...config, vision_feature_layer: "last" }, "vision_feature_layer"],
  ["another activation", { ...config, projector_hidden_act: "tanh" }, "projector_hidden_act"],
  ["another strategy", { ...config, vision_feature_select_strategy: "full" }, "select_strategy"],
];

for (const [name, changed, ...texts] of odd) {
  test(`an odd config is refused by name: ${name}`, async () => {
    await assert.rejects(llavit.open(under(changed)), isLuvitError("bad-file", ...texts));
  });
}

test("how many tokens the language model can read is what its config says, or unknown", async () => {
  const of = async (max_position_embeddings: unknown) => {
    const model = await llavit.open(under(text({ max_position_embeddings })));
    return [model.language.config.maxPositions, model.describe().language.maxPositions];
  };
  assert.deepEqual(await of(77), [77, 77]);
  assert.deepEqual(await of(undefined), [undefined, undefined]);
  await assert.rejects(of("many"), isLuvitError("bad-file", "max_position_embeddings"));
  const language = await llavit.languageModel(join(repository, "data", "llama-toy"));
  assert.equal(language.config.maxPositions, 2048);
});
