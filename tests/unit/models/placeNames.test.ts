import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { classifier, fusion, llavit, lora, mae } from "../../../src/models";
import { shapeOf } from "../../../src/models/shapeOf";
import { isLuvitError, repository } from "../nn/support";
import { luvitTower, start, tinyLanguage, tinySequences } from "./llavit/support";
import { tinyBlock, tinyDecoder, tinyImages, tinyInputs, tinyViT } from "./support";

before(() => startBackend());

/** The names in the first column of the table, `k` for a number, written out. */
function documented(): string[] {
  const text = readFileSync(join(repository, "docs", "looking-inside.md"), "utf8");
  const section = /## Names\n([\s\S]*?)\n## /.exec(text)![1]!;
  const cells = section.split("\n").flatMap((line) => /^\| ([`<].*?) \|/.exec(line)?.[1] ?? []);
  return cells.flatMap((cell) => {
    const names = [...cell.replace(/, e\.g\..*/, "").matchAll(/`([^`]+)`|<code>([^<]+)<\/code>/g)].map(
      ([, plain, code]) => plain ?? code!,
    );
    // ".ffn_norm" stands beside "llama.layers.k.attention_norm".
    return names.map((name) =>
      name.startsWith(".") ? names[0]!.slice(0, names[0]!.lastIndexOf(".")) + name : name,
    );
  });
}

/** "blocks.k.*" stands for all that a block has, "<linear>" for any. */
function expressionOf(name: string): RegExp {
  const parts = name
    .replace("<linear>", "**")
    .split(/(\*\*|\*|\bk\b)/)
    .map((part) => {
      if (part === "k") return "\\d+";
      return part.startsWith("*") ? ".+" : part.replace(/\./g, "\\.");
    });
  return new RegExp(`^${parts.join("")}$`);
}

function traced(pass: (tap: (name: string) => void) => unknown): Set<string> {
  const names = new Set<string>();
  tf.tidy(() => void pass((name) => names.add(name)));
  return names;
}

async function namesByModel(): Promise<Record<string, Set<string>>> {
  const images = tinyImages();
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  const plain = classifier.create({ encoder: { ...tinyViT, registers: 2 }, classes: 3 });
  const pooled = classifier.create({ encoder: tinyViT, classes: 3, pooling: "attention" });
  const whole = classifier.create({ encoder: tinyViT, fusion: fusion.through(block), classes: 3 });
  const auto = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  const speaking = await llavit.create({ tower: luvitTower(), language: tinyLanguage() });
  return {
    "a ViT": traced((tap) => plain.forward(images, { tap })),
    "a ViT that pools by attention": traced((tap) => pooled.forward(images, { tap })),
    "a LUViT with LoRA": traced((tap) => whole.forward(images, { tap })),
    "a masked auto-encoder": traced((tap) => auto.loss({ ...tinyInputs(auto) } as never, { tap })),
    "a language model that sees": traced((tap) => speaking.forward(tinySequences(), start, { tap })),
  };
}

test("the table of names in docs/looking-inside.md has every name that a model gives, and no others", async () => {
  const names = documented();
  assert.ok(names.length > 30, `${names.length} names read`);
  const models = await namesByModel();
  for (const [model, given] of Object.entries(models)) {
    assert.ok(given.size > 15, model);
    const unknown = [...given].filter((name) => !names.some((one) => expressionOf(one).test(name)));
    assert.deepEqual(unknown, [], `${model} gives names that the table does not have`);
  }
  const all = Object.values(models).flatMap((given) => [...given]);
  const absent = names.filter((name) => !all.some((one) => expressionOf(name).test(one)));
  assert.deepEqual(absent, [], "the table has names that no model gives");
});

test("a ViT's shape is read from its tensors, its heads from the published widths", () => {
  const tensors = (dim: number, more: Record<string, readonly number[]> = {}) => {
    const shapes = {
      ...{
        "patch_embed.proj.weight": [dim, 3, 14, 14],
        pos_embed: [1, 1 + 16 * 16, dim],
        cls_token: [1, 1, dim],
      },
      ...{
        "blocks.0.norm1.weight": [dim],
        "blocks.0.mlp.fc1.weight": [4 * dim, dim],
        "blocks.11.norm1.weight": [dim],
      },
      ...more,
    };
    return new Map(Object.entries(shapes).map(([key, shape]) => [key, { shape, data: new Float32Array(0) }]));
  };
  const base = { imageSize: 224, patchSize: 14, dim: 768, depth: 2, heads: 12, mlpRatio: 4 };
  assert.deepEqual(shapeOf("a", tensors(768), undefined), base);
  assert.equal(shapeOf("a", tensors(768), 8).heads, 8);
  // Ti, S, B, L, So400m, H, g, giant of DINOv2, G
  const widths = [
    [192, 3],
    [384, 6],
    [768, 12],
    [1024, 16],
    [1152, 16],
    [1280, 16],
    [1408, 16],
    [1536, 24],
    [1664, 16],
  ];
  for (const [dim, heads] of widths)
    assert.equal(shapeOf("a", tensors(dim), undefined).heads, heads, `${dim}`);
  assert.throws(
    () => shapeOf("a.pth", tensors(100), undefined),
    isLuvitError("bad-argument", "a.pth", "100 wide", "heads"),
  );
  const more = { register_tokens: [1, 4, 768], "blocks.0.ls1.gamma": [768], "norm_pre.weight": [768] };
  assert.deepEqual(shapeOf("a", tensors(768, more), undefined), {
    ...base,
    registers: 4,
    layerScale: 1e-5,
    preNorm: true,
  });
  const bare = tensors(768, { pos_embed: [1, 256, 768] });
  bare.delete("cls_token");
  assert.deepEqual(shapeOf("a", bare, undefined), { ...base, classToken: false });
  const gated = tensors(768, { "blocks.0.mlp.w3.weight": [768, 2048] });
  assert.deepEqual(shapeOf("a", gated, undefined), { ...base, mlp: "swiglu", mlpRatio: 4 });
});
