import { inspect } from "node:util";
import { checkOptions, partsWith } from "../core/options";
import { millions } from "../nn/module";

/** What `attach` or `loadAdapter` did. Prints as one line. */
export class LoraReport {
  readonly paths: readonly string[];
  readonly trainable: number;
  readonly total: number;
  /** Parameters that an adapter brought whole. */
  readonly replaced: readonly string[];
  /** Tensors of an adapter, by their names in the base model, that lie outside this model. */
  readonly leftOut: readonly string[];

  constructor(parts: {
    paths: readonly string[];
    trainable: number;
    total: number;
    replaced?: readonly string[];
    leftOut?: readonly string[];
  }) {
    checkOptions("LoraReport", partsWith("paths"), parts);
    const { paths, trainable, total, replaced = [], leftOut = [] } = parts;
    this.paths = paths;
    this.trainable = trainable;
    this.total = total;
    this.replaced = replaced;
    this.leftOut = leftOut;
  }

  toString(): string {
    const share = ((100 * this.trainable) / this.total).toFixed(2);
    return [
      `LoRA on ${this.paths.join(", ")}: ${millions(this.trainable)} trainable of ${millions(this.total)} (${share} %)`,
      this.replaced.length > 0 ? `replaced: ${this.replaced.join(", ")}` : "",
      this.leftOut.length > 0 ? `left out, not of this block: ${partsOf(this.leftOut).join(", ")}` : "",
    ]
      .filter(Boolean)
      .join("; ");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Names of tensors for people: modules outside the layers by name, the layers together. */
function partsOf(names: readonly string[]): string[] {
  const layerOf = (name: string) => /(?:^|\.)layers\.(\d+)\./.exec(name)?.[1];
  const layers = [...new Set(names.map(layerOf))].filter((layer) => layer !== undefined).map(Number);
  layers.sort((a, b) => a - b);
  const outside = names.filter((name) => layerOf(name) === undefined);
  const modules = [...new Set(outside.map((name) => name.replace(/(\.lora_[AB])?\.(weight|bias)$/, "")))];
  if (layers.length === 0) return modules;
  const count = names.length - outside.length;
  return [`${count} tensors of ${layers.length === 1 ? "layer" : "layers"} ${layers.join(", ")}`, ...modules];
}
