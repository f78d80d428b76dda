import { checkOptions, number, optionsOf, such } from "../core/options";
import { label } from "./options";

import { ProgressBar } from "./progressBar";
import { ProgressGroup } from "./progressGroup";

/** What a progress bar says. */
export interface ProgressOptions {
  /** How many items there will be; default the length or size of the iterable, if it has one. */
  total?: number;
  /** What is going on. */
  label?: string;
}

export const progressOptions = optionsOf<ProgressOptions>(
  {},
  { total: number(0, Number.MAX_SAFE_INTEGER), label },
);

/**
 * Passes an iterable's items on and shows how far it is: `for (const image of progress(images)) …`. Loops within loops
 * share one display. A loop that is left early is shown as stopped, one whose items fail with the reason.
 *
 * @example
 * for (const layer of luvit.progress([1, 2, 3], { label: "layers" })) console.log(layer);
 */
export function progress<T>(items: Iterable<T>, options?: ProgressOptions): Generator<T, void, undefined>;
/** Passes the items of an async iterable on and shows how far it is. */
export function progress<T>(
  items: AsyncIterable<T>,
  options?: ProgressOptions,
): AsyncGenerator<T, void, undefined>;
export function progress<T>(
  items: Iterable<T> | AsyncIterable<T>,
  options: ProgressOptions = {},
): Generator<T, void, undefined> | AsyncGenerator<T, void, undefined> {
  checkOptions("progress", iterable, items);
  checkOptions("progress", progressOptions, options);
  const bar = new ProgressBar({
    label: options.label ?? "progress",
    total: options.total ?? lengthOf(items),
  });
  return isAsync(items) ? passAsync(items, bar) : passSync(items, bar);
}

const iterable = such<unknown>(
  "something that can be walked over, such as a list",
  (value) => value != null && (Symbol.iterator in Object(value) || Symbol.asyncIterator in Object(value)),
);

function* passSync<T>(items: Iterable<T>, bar: ProgressBar): Generator<T, void, undefined> {
  const group = ProgressGroup.show(bar);
  try {
    for (const item of items) {
      yield item;
      group.advance(bar);
    }
    group.end(bar, "done");
  } catch (error) {
    group.end(bar, "failed", error);
    throw error;
  } finally {
    if (bar.state === "running") group.end(bar, "stopped");
  }
}

async function* passAsync<T>(items: AsyncIterable<T>, bar: ProgressBar): AsyncGenerator<T, void, undefined> {
  const group = ProgressGroup.show(bar);
  try {
    for await (const item of items) {
      yield item;
      group.advance(bar);
    }
    group.end(bar, "done");
  } catch (error) {
    group.end(bar, "failed", error);
    throw error;
  } finally {
    if (bar.state === "running") group.end(bar, "stopped");
  }
}

function isAsync<T>(items: Iterable<T> | AsyncIterable<T>): items is AsyncIterable<T> {
  return Symbol.asyncIterator in Object(items);
}

function lengthOf(items: object): number | undefined {
  const { length, size } = items as { length?: unknown; size?: unknown };
  return typeof length === "number" ? length : typeof size === "number" ? size : undefined;
}
