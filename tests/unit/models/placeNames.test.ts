import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { classifier, fusion, llavit, lora, mae } from "../../../src/models";
import { repository } from "../nn/support";
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
