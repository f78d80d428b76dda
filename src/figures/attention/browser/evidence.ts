import type { ModelHeader, ViewerHeader } from "./payload";

/** Numbers of a model that stand in the page behind its layers, by name; what was not asked for is not there. */
export type Numbers = ReadonlyMap<string, Uint8Array | Uint16Array | Float32Array>;

/** A class and how sure the model is of it, 0 to 1. */
export interface Saying {
  readonly label: string;
  readonly chance: number;
}

/** A head of a layer, counted from 0. */
export interface Head {
  readonly layer: string;
  readonly head: number;
}

/** What a model says with some heads off. */
export interface Answer {
  /** [C]. */
  readonly chances: Float32Array;
  readonly top: Saying;
}

/** What a model answers with some heads off, or in words why that is not known. */
export type Known = { readonly answer: Answer } | { readonly why: string };

/** What heads can be colored by. */
export type HeadColor = "entropy" | "distance" | "effect";

/**
 * What a page knows of one model beside its attention. C classes can be chosen, T tokens, P patches, S stages (all layers
 * with attention, those left out of the page too), N heads of all stages.
 *
 * `answer` [C] ln p; `answer.label`, `answer.chance` [1]; `relevance.<method>` [C × P], weakest 0, strongest 255; `lens.label`,
 * `lens.chance` [S × T]; `lens.choices` [S × C × T]; `norms` [S × P]; `heads.entropy`, `heads.distance` [N];
 * `heads.answer` [N × C] ln p without the head; `heads.label`, `heads.chance` [N].
 */
export class Evidence {
  private readonly patches: number;
  private readonly choices: number;

  constructor(
    private readonly header: Pick<ViewerHeader, "labels" | "choices">,
    private readonly model: Pick<ModelHeader, "grid" | "stages">,
    private readonly numbers: Numbers,
  ) {
    this.patches = model.grid.rows * model.grid.columns;
    this.choices = header.choices.length;
  }

  has(name: string): boolean {
    return this.numbers.has(name);
  }

  /** What the model answers, all heads on. */
  get top(): Saying | undefined {
    return this.saying("answer", 0);
  }

  /** Chances of the classes that can be chosen, [C]: all heads on, or without one. */
  chances(without?: Head): Float32Array | undefined {
    const name = without ? "heads.answer" : "answer";
    const at = (without ? this.headIndex(without) : 0) * this.choices;
    const logs = this.numbers.get(name)?.subarray(at, at + this.choices);
    return logs && Float32Array.from(logs, Math.exp);
  }

  /** What it answers without a head. */
  topWithout(head: Head): Saying | undefined {
    return this.saying("heads", this.headIndex(head));
  }

  /** Evidence of a class over the tokens, the weakest patch 0, the strongest 1; the class token has none. */
  relevance(method: string, choice: number): Float32Array | undefined {
    const levels = this.numbers.get(`relevance.${method}`);
    return levels && this.overTokens(levels, choice, 255);
  }

  /** What every token of a layer would give a class if the model ended there. */
  lens(layer: string, choice: number): Float32Array | undefined {
    const row = this.stageIndex(layer) * this.choices + choice;
    const tokens = this.patches + 1;
    const levels = this.numbers.get("lens.choices")?.subarray(row * tokens, (row + 1) * tokens);
    return levels && Float32Array.from(levels, (level) => level / 255);
  }

  /** What a token of a layer says. */
  says(layer: string, token: number): Saying | undefined {
    return this.saying("lens", this.stageIndex(layer) * (this.patches + 1) + token, 255);
  }

  /** Lengths of the tokens that a layer is given; the class token's is not there. */
  norms(layer: string): Float32Array | undefined {
    const norms = this.numbers.get("norms");
    return norms && this.overTokens(norms, this.stageIndex(layer), 1);
  }

  /** A number per head of every stage; of "effect" what the chosen class loses without it, nats. */
  ofHeads(color: HeadColor, choice: number): { layer: string; values: Float32Array }[] {
    const all = color === "effect" ? this.effects(choice) : this.numbers.get(`heads.${color}`);
    let at = 0;
    return this.model.stages.map(({ name, heads }) => {
      at += heads;
      return { layer: name, values: Float32Array.from(all?.subarray(at - heads, at) ?? []) };
    });
  }

  private effects(choice: number): Float32Array | undefined {
    const [whole, without] = [this.numbers.get("answer"), this.numbers.get("heads.answer")];
    if (!whole || !without) return undefined;
    return Float32Array.from(
      { length: without.length / this.choices },
      (_, head) => whole[choice]! - without[head * this.choices + choice]!,
    );
  }

  private saying(name: string, at: number, full = 1): Saying | undefined {
    const [labels, chances] = [this.numbers.get(`${name}.label`), this.numbers.get(`${name}.chance`)];
    if (!labels || !chances || at < 0 || at >= labels.length) return undefined;
    return { label: this.header.labels[labels[at]!]!, chance: chances[at]! / full };
  }

  private overTokens(values: ArrayLike<number>, row: number, full: number): Float32Array {
    const { patches } = this;
    const made = new Float32Array(patches + 1).fill(Number.NaN);
    for (let i = 0; i < patches; i++) made[i + 1] = values[row * patches + i]! / full;
    return made;
  }

  private stageIndex(layer: string): number {
    return this.model.stages.findIndex(({ name }) => name === layer);
  }

  private headIndex({ layer, head }: Head): number {
    let before = 0;
    for (const { name, heads } of this.model.stages) {
      if (name === layer) return before + head;
      before += heads;
    }
    return -1;
  }
}

/** The middle value. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float32Array.from(values).sort();
  return sorted[Math.floor(sorted.length / 2)]!;
}
