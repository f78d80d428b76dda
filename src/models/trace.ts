import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { formatShape, type HostTensor } from "../core/hostTensor";
import { checkOptions, list, nearest, optionsOf, such, text } from "../core/options";
import { textTable } from "../core/textTable";
import { type Tensor, tf } from "../core/tf";
import type { EngineOptions } from "../engine";
import { engineOptions } from "../engine/options";
import { trace } from "../graph";
import { compile } from "../nn/compile";
import { type Context, inference } from "../nn/context";
import { parameterShapes, withTracedParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import type { Encoder } from "./encoder";
import { type PlaceKind, placeKind } from "./places";

export interface TraceOptions extends EngineOptions {
  /**
   * Names of values to keep, e.g. "blocks.11.attn.pattern"; `*` stands for one part of a name ("blocks.*.attn.pattern"), `**`
   * for any number.
   */
  keep: readonly string[];
}

const traceOptions = optionsOf<TraceOptions>({ keep: list(text, 1) }, engineOptions.optional);

/** A named place of a model's forward pass. */
export interface Place extends PlaceKind {
  readonly name: string;
  /** Of one image. */
  readonly shape: readonly number[];
}

/** A named value of a forward pass, on the host. */
export interface TracedValue extends PlaceKind, HostTensor {
  readonly name: string;
}

/** What a forward pass kept, by name. Prints as a table. */
export class Activations implements Iterable<TracedValue> {
  constructor(private readonly values: ReadonlyMap<string, TracedValue>) {}

  /** In the order of the forward pass. */
  get names(): string[] {
    return [...this.values.keys()];
  }

  /** @throws LuvitError("bad-argument") for a name that was not kept. */
  get(name: string): TracedValue {
    const value = this.values.get(name);
    if (value) return value;
    const close = nearest(name, this.names);
    const hint = close ? `did you mean ${close}?` : `kept: ${this.names.join(", ")}`;
    throw new LuvitError("bad-argument", `no value ${name} was kept; ${hint}`);
  }

  /** A value as a tensor; the caller disposes it. */
  tensor(name: string): Tensor {
    const { data, shape } = this.get(name);
    return tf.tensor(data as Float32Array, [...shape]);
  }

  /** Those whose names fit a pattern as `keep` takes it. */
  matching(pattern: string): TracedValue[] {
    return [...this].filter(({ name }) => expression(pattern).test(name));
  }

  [Symbol.iterator](): IterableIterator<TracedValue> {
    return this.values.values();
  }

  toString(): string {
    const rows = [...this].map(({ name, shape, axes, unit }) => [
      name,
      formatShape(shape),
      axes.join(" × "),
      unit,
    ]);
    return textTable(["name", "shape", "axes", "unit"], rows);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

type Forward = (images: Tensor, context: Context) => Tensor;
type Encoding = Module & { readonly encoder: Encoder };

/** What `model.trace` does, for any way through a model. */
export async function traceForward(
  model: Encoding,
  forward: Forward,
  images: Tensor | Float32Array,
  options: TraceOptions,
): Promise<Activations> {
  const { imageSize } = model.encoder.config;
  expectImages(images, imageSize);
  checkOptions("trace", traceOptions, options);
  const { keep, ...engine } = options;
  expectAll(keep, placesOf(model, forward));
  const wanted = keep.map(expression);
  const shape =
    images instanceof Float32Array
      ? [images.length / (3 * imageSize * imageSize), 3, imageSize, imageSize]
      : images.shape;
  const body = ({ images }: Readonly<Record<string, Tensor>>) => {
    const kept: Record<string, Tensor> = {};
    const tap = (name: string, value: Tensor) => {
      if (wanted.some((pattern) => pattern.test(name))) kept[name] = value;
    };
    forward(images, { tap });
    return kept;
  };
  const compiled = await compile("trace", { inputs: { images: { shape } }, model, body }, engine);
  try {
    const results = await compiled.run({ images });
    const values = Object.entries(results).map(([name, { shape, data }]): [string, TracedValue] => [
      name,
      { name, shape, data, ...kindOf(name) },
    ]);
    return new Activations(new Map(values));
  } finally {
    await compiled.dispose();
  }
}

/** @throws LuvitError("bad-argument" | "shape-mismatch") for what is no batch of images. */
function expectImages(images: Tensor | Float32Array, side: number): void {
  const text = `images, a tensor [B, 3, ${side}, ${side}] or a Float32Array of ${3 * side * side} numbers each`;
  if (images instanceof Float32Array) {
    const count = images.length / (3 * side * side);
    if (Number.isInteger(count) && count > 0) return;
    throw new LuvitError("shape-mismatch", `trace: expected ${text}, got ${images.length} numbers`);
  }
  checkOptions("trace", such(text, isLiveTensor), images);
  if (images.shape[0] === 0) throw new LuvitError("shape-mismatch", `trace: expected ${text}, got no image`);
}

function isLiveTensor(value: unknown): boolean {
  return value instanceof tf.Tensor && !value.isDisposed;
}

/** Every named place of a forward pass, nothing computed. */
export function placesOf(model: Encoding, forward: Forward): Place[] {
  const { imageSize } = model.encoder.config;
  const places: Place[] = [];
  trace("places", {
    inputs: { images: { shape: [1, 3, imageSize, imageSize] } },
    state: parameterShapes(model),
    body: ({ images }, state) => {
      const tap = (name: string, value: Tensor) => {
        places.push({ name, shape: value.shape, ...kindOf(name) });
      };
      return { end: withTracedParameters(model, state, () => forward(images, { ...inference, tap })) };
    },
  });
  return places;
}

function kindOf(name: string): PlaceKind {
  return placeKind(name) ?? { axes: [], unit: "" };
}

function expectAll(keep: readonly string[], places: readonly Place[]): void {
  const empty = keep.filter((pattern) => !places.some(({ name }) => expression(pattern).test(name)));
  if (empty.length === 0) return;
  const names = places.map(({ name }) => name);
  const known = [...new Set(names.map((name) => name.replace(/\.\d+\./g, ".*.")))];
  throw new LuvitError(
    "bad-argument",
    `trace: nothing is named ${empty.join(", ")}; this model has ${known.join(", ")}`,
  );
}

/** `*` is one part between dots, `**` any number of them. */
function expression(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*|\*)/).map((part) => {
    if (part === "**") return ".*";
    return part === "*" ? "[^.]+" : part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`);
}
