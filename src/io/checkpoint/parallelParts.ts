import { dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { formatShape, type HostTensor, type StateDict } from "../../core/hostTensor";
import type { TensorInfo, TensorSeen } from "../safetensors";
import { joinTensors } from "./joinTensors";
import type { OpenParts } from "./openParts";
import type { WeightPart } from "./part";
import type { Tensors } from "./shards";

const PART = /^consolidated\.(\d\d)\.pth$/;

/** Whether a file may be one of several that a model of Meta's is split into. */
export function isParallelPart(name: string): boolean {
  return PART.test(name);
}

/** Along which axis a tensor is split; undefined where every part has it whole. */
type Axis = 0 | 1 | undefined;

const outputs = /\.(wq|wk|wv|w1|w3)\.weight$|^output\.weight$/;
const inputs = /\.(wo|w2)\.weight$/;

/**
 * Tensors of a checkpoint split for model parallelism: each file has a slice of every matrix and all of every norm.
 * Projections are split where their numbers do not have to be added up: q, k, v, w1, w3 and the output layer by outputs,
 * wo and w2 by inputs; embeddings by width (LLaMA 1 and 2) or by tokens (LLaMA 3).
 * Reference: github.com/meta-llama/llama llama/model.py (fairscale ColumnParallelLinear, RowParallelLinear,
 * ParallelEmbedding).
 */
export class ParallelParts implements Tensors {
  private constructor(
    private readonly source: string,
    private readonly parts: readonly { name: string; part: WeightPart }[],
  ) {}

  /**
   * Opens all parts, given the names of the files in their folder. How many there must be follows from the first one's
   * shapes.
   *
   * @throws LuvitError("missing-file") listing those that are not there, "bad-file" where parts do not agree.
   */
  static async open(parts: OpenParts, beside: readonly string[]): Promise<ParallelParts> {
    const pathOf = (name: string) => join(dirname(parts.source), name);
    const present = beside.filter(isParallelPart).sort();
    const first = await parts.open(pathOf(present[0]));
    const count = impliedCount(first) ?? present.length;
    const wanted = Array.from({ length: count }, (_, i) => `consolidated.${String(i).padStart(2, "0")}.pth`);
    await parts.requireFiles(wanted.map(pathOf), () => `one of the ${count} parts that the shapes imply`);
    const opened = [];
    for (const name of wanted) opened.push({ name, part: await parts.open(pathOf(name)) });
    const surplus = present.filter((name) => !wanted.includes(name));
    const model = new ParallelParts(parts.source, opened);
    model.requireAgreement(surplus.map((name) => `${name}: the shapes imply ${count} parts`));
    return model;
  }

  get names(): readonly string[] {
    return this.parts[0].part.names;
  }

  async infos(names: readonly string[]): Promise<Map<string, TensorInfo>> {
    return new Map(names.map((name) => [name, this.infoOf(name)]));
  }

  /** One file after the other; of what is not joined yet only the slices are held. */
  async readTensors(names: readonly string[], seen?: TensorSeen): Promise<StateDict> {
    const slices = new Map<string, HostTensor[]>(names.map((name) => [name, []]));
    const found: StateDict = new Map();
    const faults: string[] = [];
    for (const { part, name: file } of this.parts) {
      await part.readTensors(names, (name, slice) => {
        const own = slices.get(name)!;
        const axis = this.axisOf(name);
        if (axis === undefined && own.length > 0 && !isSame(own[0], slice))
          faults.push(`${file}: ${name} has other numbers than in ${this.parts[0].name}`);
        own.push(slice);
        if (own.length < this.parts.length) return;
        const joined = axis === undefined ? own[0] : joinTensors(own, axis);
        slices.delete(name);
        found.set(name, joined);
        seen?.(name, joined);
      });
    }
    this.requireNone(faults);
    return new Map(names.map((name) => [name, found.get(name)!]));
  }

  private infoOf(name: string): TensorInfo {
    const { shape, dtype } = this.parts[0].part.info(name);
    const axis = this.axisOf(name);
    return { dtype, shape: shape.map((length, i) => (i === axis ? length * this.parts.length : length)) };
  }

  private axisOf(name: string): Axis {
    const { part } = this.parts[0];
    if (outputs.test(name)) return 0;
    if (inputs.test(name)) return 1;
    if (name !== "tok_embeddings.weight") return undefined;
    const [dim] = part.names.includes("norm.weight") ? part.info("norm.weight").shape : [];
    return part.info(name).shape[1] === dim ? 0 : 1;
  }

  private requireAgreement(faults: string[]): void {
    const [first, ...others] = this.parts;
    for (const { name: title, part } of others) {
      const names = new Set(part.names);
      for (const name of this.names) {
        if (!names.has(name)) faults.push(`${title}: no ${name}`);
        else if (describe(part.info(name)) !== describe(first.part.info(name)))
          faults.push(
            `${title}: ${name} is ${describe(part.info(name))}, ` +
              `in ${first.name} it is ${describe(first.part.info(name))}`,
          );
      }
    }
    this.requireNone(faults);
  }

  private requireNone(faults: readonly string[]): void {
    if (faults.length === 0) return;
    throw new LuvitError(
      "bad-file",
      `${this.source}: these files are not the parts of one model\n${listOffenders(faults)}`,
    );
  }
}

/** Each row of q has the whole width; where the heads fill it, so have all rows of all parts together. */
function impliedCount(part: WeightPart): number | undefined {
  const name = part.names.find((each) => each.endsWith(".wq.weight"));
  if (name === undefined) return undefined;
  const [rows, dim] = part.info(name).shape;
  const count = dim / rows;
  return Number.isInteger(count) && count >= 1 && count <= 100 ? count : undefined;
}

function describe({ shape, dtype }: TensorInfo): string {
  return `${dtype} ${formatShape(shape)}`;
}

function isSame(one: HostTensor, other: HostTensor): boolean {
  const [a, b] = [one, other].map((tensor) => tensor.peek?.() ?? tensor.data);
  return a.every((value, i) => Object.is(value, b[i]));
}
