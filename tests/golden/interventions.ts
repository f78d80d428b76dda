import { chain, gateHeads, patchTokens, type Skip, skip } from "../../src/analysis/interventions/edits";
import { type Tensor, tf } from "../../src/core/tf";
import type { EngineOptions } from "../../src/engine";
import type { Classifier } from "../../src/models/classifier";
import { patchCount } from "../../src/models/vit";
import type { Edit } from "../../src/nn/context";
import { goldenClassifiers, type Kind } from "./classifiers";
import { openComputation } from "./compute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import { atStep, type GoldenTensors, load } from "./support";

type Numbers = ArrayLike<number>;

/** Logits after edits of one internal value, on tfjs or through an engine. */
export const runInterventions =
  (engine?: EngineOptions): CaseRunner =>
  async (folder, meta) => {
    const golden: GoldenTensors = new Map(
      ["io", "ablations", "patching"].flatMap((file) => [...load(folder, `${file}.safetensors`)]),
    );
    const checks: Check[] = [];
    for (const [kind, model] of goldenClassifiers(folder, meta.config)) {
      const bench = new Bench(kind, model, golden, meta, engine);
      checks.push(...(await bench.ablations()), ...(await bench.skips()), ...(await bench.patching()));
    }
    const compared = checks.map(({ name }) => name);
    const missing = [...golden.keys()].filter((name) => name !== "images" && !compared.includes(name));
    return [...checks, { name: `not compared: ${missing}`, error: missing.length, tolerance: 0 }];
  };

/** Everything about one model of the case. */
class Bench {
  private readonly images: Float32Array;
  private readonly imageShape: number[];
  private readonly heads: number;
  private readonly tokens: number;

  constructor(
    private readonly kind: Kind,
    private readonly model: Classifier,
    private readonly golden: GoldenTensors,
    private readonly meta: CaseFile,
    private readonly engine?: EngineOptions,
  ) {
    const { shape, data } = golden.get("images")!;
    this.images = data as Float32Array;
    this.imageShape = shape;
    this.tokens = patchCount(model.encoder.config) + 1;
    this.heads = kind === "luvit" ? meta.config.luvit.llm_heads : meta.config.num_heads;
  }

  /** The layers whose heads the case ablates: the ViT's, of a LUViT its LLaMA block. */
  private get layers(): string[] {
    if (this.kind === "luvit") return ["llama.layers.0"];
    return this.model.encoder.blocks.map((_, l) => `blocks.${l}`);
  }

  async ablations(): Promise<Check[]> {
    const { layers, heads, images, imageShape } = this;
    const means = await this.means();
    const { tokens } = this;
    const channels = means.all.length / layers.length / heads;
    const shapes = {
      images: imageShape,
      gate: [layers.length, heads],
      token: [layers.length, heads, tokens, channels],
      all: [layers.length, heads, 1, channels],
    };
    const computation = await openComputation(
      this.model,
      shapes,
      ({ images, gate, token, all }) => ({
        zero_head: this.logits(images, gateHeads(layers, gate)),
        mean_head_token: this.logits(images, gateHeads(layers, gate, this.perLayer(token))),
        mean_head_all: this.logits(images, gateHeads(layers, gate, this.perLayer(all))),
      }),
      this.engine,
    );
    const off = async (some: readonly (readonly number[])[]) => {
      const gate = new Float32Array(layers.length * heads).fill(1);
      for (const [layer, head] of some) gate[layer * heads + head] = 0;
      return computation.run({ images, gate, ...means });
    };
    const found: Record<string, number[]> = { logits: Array.from((await off([])).zero_head) };
    const add = (name: string, values: Numbers) => {
      found[name] = [...(found[name] ?? []), ...Array.from(values)];
    };
    for (const layer of layers.keys()) {
      for (let head = 0; head < heads; head++) {
        for (const [name, values] of Object.entries(await off([[layer, head]]))) add(name, values);
      }
    }
    if (this.kind !== "luvit") {
      for (const set of this.meta.config.head_sets_layer_head)
        add("zero_head_sets", (await off(set)).zero_head);
    }
    await computation.dispose();
    const meanChecks = [
      this.check("z_mean_token", this.byToken(means.token, channels), "z_mean_abs"),
      this.check("z_mean_all", means.all, "z_mean_abs"),
    ];
    return [
      ...meanChecks.flat(),
      ...Object.entries(found).flatMap(([name, values]) => this.check(name, values, "logits_abs")),
    ];
  }

  /** Means of the heads' values over the images, [L, H, T, C], and over the tokens, too, [L, H, 1, C]. */
  private async means(): Promise<{ token: Numbers; all: Numbers }> {
    const computation = await openComputation(
      this.model,
      { images: this.imageShape },
      ({ images }) => {
        const values: Tensor[] = [];
        const tap = (name: string, value: Tensor) => {
          if (this.layers.some((layer) => name.startsWith(layer)) && name.endsWith(".heads"))
            values.push(value);
        };
        this.model.forward(images, { tap });
        const token = tf.stack(values.map((value) => tf.mean(value, 0)));
        return { token, all: tf.mean(token, 2) };
      },
      this.engine,
    );
    const { token, all } = await computation.run({ images: this.images });
    await computation.dispose();
    return { token, all };
  }

  /** [L, H, T, C] -> [L, T, H C]. */
  private byToken(values: Numbers, channels: number): Numbers {
    const { tokens } = this;
    const shape = [this.layers.length, this.heads, tokens, channels];
    return tf.tidy(() => tf.transpose(tf.tensor(Float32Array.from(values), shape), [0, 2, 1, 3]).dataSync());
  }

  private perLayer(stacked: Tensor): Map<string, Tensor> {
    return new Map(tf.unstack(stacked).map((one, l) => [this.layers[l], tf.expandDims(one, 0)]));
  }

  async skips(): Promise<Check[]> {
    const skips: [string, Skip[]][] =
      this.kind === "luvit"
        ? [
            ["skip_attention", [{ attention: "llama.layers.0" }]],
            ["skip_feed_forward", [{ feedForward: "llama.layers.0" }]],
            ["skip_block", [{ layer: "llama.layers.0" }]],
            ["skip_lora", ["lora"]],
            ["skip_path", ["fusion"]],
          ]
        : [
            ["skip_attention", this.layers.map((attention) => ({ attention }))],
            ["skip_mlp", this.layers.map((feedForward) => ({ feedForward }))],
          ];
    const computation = await openComputation(
      this.model,
      { images: this.imageShape },
      ({ images }) =>
        Object.fromEntries(
          skips.map(([name, each]) => [name, tf.stack(each.map((one) => this.logits(images, skip(one))))]),
        ),
      this.engine,
    );
    const found = await computation.run({ images: this.images });
    await computation.dispose();
    return Object.entries(found).flatMap(([name, values]) => this.check(name, values, "logits_abs"));
  }

  async patching(): Promise<Check[]> {
    const { layers, heads, kind, tokens } = this;
    const { pairs_receiver_donor: pairs } = this.meta.config;
    const sites = this.sites();
    const one = [1, ...this.imageShape.slice(1)];
    const computation = await openComputation(
      this.model,
      { receiver: one, donor: one, take: [sites.length, tokens], gate: [layers.length, heads] },
      ({ receiver, donor, take, gate }) => {
        const donors = new Map<string, Tensor>();
        const tap = (name: string, value: Tensor) => void donors.set(name, value);
        const answer = this.model.forward(donor, { tap });
        const heads = new Map(
          layers.map((layer) => [
            layer,
            donors.get(`${layer}.attn.heads`) ?? donors.get(`${layer}.attention.heads`)!,
          ]),
        );
        const edit = chain(patchTokens(sites, donors, take), gateHeads(layers, gate, heads));
        return { donor: answer, patched: this.logits(receiver, edit) };
      },
      this.engine,
    );
    const found: Record<string, number[]> = { patch_token: [] };
    if (kind !== "luvit")
      Object.assign(found, { patch_all_patches: [], patch_head: [], patch_token_recovered: [] });
    for (const [receiver, donor] of pairs) {
      const image = (index: number) => atStep(this.golden.get("images")!, index).data as Float32Array;
      const run = (take: Float32Array, gate = new Float32Array(layers.length * heads).fill(1)) =>
        computation.run({ receiver: image(receiver), donor: image(donor), take, gate });
      const nothing = () => new Float32Array(sites.length * tokens);
      const plain = await run(nothing());
      const top = Array.from(plain.donor).indexOf(Math.max(...Array.from(plain.donor)));
      for (const site of sites.keys()) {
        for (let token = 0; token < tokens; token++) {
          const take = nothing();
          take[site * tokens + token] = 1;
          const { patched } = await run(take);
          found.patch_token.push(...Array.from(patched));
          const share = (patched[top] - plain.patched[top]) / (plain.donor[top] - plain.patched[top]);
          found.patch_token_recovered?.push(share);
        }
        const take = nothing().fill(1, site * tokens + 1, (site + 1) * tokens);
        found.patch_all_patches?.push(...Array.from((await run(take)).patched));
      }
      for (const place of Array(kind === "luvit" ? 0 : layers.length * heads).keys()) {
        const gate = new Float32Array(layers.length * heads).fill(1);
        gate[place] = 0;
        found.patch_head.push(...Array.from((await run(nothing(), gate)).patched));
      }
    }
    await computation.dispose();
    return Object.entries(found).flatMap(([name, values]) =>
      this.check(name, values, name.endsWith("recovered") ? "recovered_abs" : "logits_abs"),
    );
  }

  private sites(): string[] {
    const vit = ["embed", ...this.model.encoder.blocks.map((_, l) => `blocks.${l}.out`)];
    return this.kind === "luvit" ? [...vit, "fusion.mapper1", "llama.layers.0.out", "fusion.mapper2"] : vit;
  }

  private logits(images: Tensor, edit: Edit): Tensor {
    return this.model.forward(images, { edit });
  }

  private check(name: string, values: Numbers, tolerance: string): Check[] {
    const expected = this.golden.get(`${this.kind}.${name}`);
    if (!expected) return [];
    const bound = this.meta.recommended_tolerance[tolerance];
    return [{ name: `${this.kind}.${name}`, error: maxAbsError(values, expected.data), tolerance: bound }];
  }
}
