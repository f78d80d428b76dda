import { formatShape, type StateDict } from "../core/hostTensor";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";

/** Parameters that hold an adapter's numbers instead of the base model's. */
const replaced = new WeakSet<Parameter>();

/** What keeps `whole`, parameters by path, from taking the place of a model's. */
export function wholeMisfits(model: Module, whole: StateDict): string[] {
  const parameters = new Map(model.namedParameters());
  const misfits = [...whole].flatMap(([path, { shape }]) => {
    const own = parameters.get(path);
    if (!own) return [`${path}: no such parameter in this model`];
    if (formatShape(own.shape) === formatShape(shape)) return [];
    return [`${path}: the adapter has ${formatShape(shape)}, the model ${formatShape(own.shape)}`];
  });
  const lost = [...parameters].filter(([path, own]) => replaced.has(own) && !whole.has(path));
  const advice = "the adapter before replaced it and this one leaves it as it is; load the base model again";
  return [...misfits, ...lost.map(([path]) => `${path}: ${advice}`)];
}

/** Puts parameters of an adapter in the place of a model's. Those that another model shares stay as they are there. */
export function putWhole(model: Module, whole: StateDict): void {
  const owners = new Map(model.namedModules());
  for (const [path, tensor] of whole) {
    const dot = path.lastIndexOf(".");
    const owner = owners.get(path.slice(0, dot)) as unknown as Record<string, Parameter>;
    const own = owner[path.slice(dot + 1)].detach();
    own.load(tensor); // without a source: checkpoints must keep it
    own.trainable = false;
    owner[path.slice(dot + 1)] = own;
    replaced.add(own);
  }
}

/** The parameters of a model that came whole with an adapter, by path. */
export async function wholeParameters(model: Module): Promise<StateDict> {
  const whole: StateDict = new Map();
  for (const [path, parameter] of model.namedParameters())
    if (replaced.has(parameter)) whole.set(path, await parameter.read());
  return whole;
}
