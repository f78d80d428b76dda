import { LuvitError, listOffenders } from "../../core/errors";
import { TensorRef } from "./torchTensors";

/** Where averaged weights sit, by the names that DeiT, timm, MAE's descendants and others give them. */
const AVERAGED_KEYS = [
  "model_ema",
  "state_dict_ema",
  "ema_state_dict",
  "model_ema_state_dict",
  "ema",
  "ema_model",
];

/** Where state dicts usually sit in a training checkpoint, in the order they are looked for. */
const USUAL_KEYS = ["state_dict", "model", "model_state_dict", "module", ...AVERAGED_KEYS];

/** The tensors of one dict of a torch file. */
export interface TorchState {
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** Dotted path of the dict they are from; "" for the file's own. */
  readonly where: string;
  /** Keys of other dicts of tensors beside it. */
  readonly others: readonly string[];
}

/** How many dicts may lie around one of tensors. */
const DEEPEST = 3;

/**
 * The tensors of the dict at a dotted path ("model", "model_ema.module"); what of the path leads to no dict is a beginning
 * of names ("teacher.backbone": those under `teacher` that begin with "backbone."). Without a path those of the usual keys
 * or, where there are none, those of the file itself or of the only dict that holds tensors, whichever has more: tensors
 * may stand beside a state dict.
 * Reference: timm models/_helpers.py `load_state_dict`.
 *
 * @throws LuvitError("key-mismatch") when there are none, or several dicts of which none is usual.
 */
export function findTorchState(source: string, root: unknown, path: string | undefined): TorchState {
  if (path !== undefined) {
    const tensors = tensorsAt(root, path.split("."));
    if (tensors.size > 0) return { tensors, where: path, others: [] };
    return failWithoutTensors(source, root, ` under "${path}"`);
  }
  const dicts = dictsOfTensors(root, DEEPEST);
  const own = tensorsOf(root);
  const where = USUAL_KEYS.find((key) => dicts.has(key)) ?? onlyDict(dicts, own.size);
  const tensors = where === "" ? own : dicts.get(where)!;
  if (tensors.size === 0) return failWithoutTensors(source, root, "", [...dicts.keys()]);
  return { tensors, where, others: [...dicts.keys()].filter((key) => key !== where) };
}

/** Dotted paths of the dicts that hold tensors, the file's own left out. */
function dictsOfTensors(value: unknown, deepest: number): Map<string, ReadonlyMap<string, TensorRef>> {
  const found = new Map<string, ReadonlyMap<string, TensorRef>>();
  if (!(value instanceof Map) || deepest === 0) return found;
  for (const [key, entry] of value) {
    if (typeof key !== "string" || !(entry instanceof Map)) continue;
    const tensors = tensorsOf(entry);
    if (tensors.size > 0) found.set(key, tensors);
    else for (const [path, inside] of dictsOfTensors(entry, deepest - 1)) found.set(`${key}.${path}`, inside);
  }
  return found;
}

function onlyDict(dicts: ReadonlyMap<string, ReadonlyMap<string, TensorRef>>, own: number): string {
  const [[path, { size }] = ["", new Map()]] = dicts;
  return dicts.size === 1 && size > own ? path : "";
}

function tensorsAt(value: unknown, path: readonly string[]): Map<string, TensorRef> {
  if (path.length === 0) return tensorsOf(value);
  const [key, ...rest] = path;
  if (value instanceof Map && value.get(key) instanceof Map) return tensorsAt(value.get(key), rest);
  const beginning = `${path.join(".")}.`;
  const named = [...tensorsOf(value)].filter(([name]) => name.startsWith(beginning));
  return new Map(named.map(([name, tensor]) => [name.slice(beginning.length), tensor]));
}

function tensorsOf(value: unknown): Map<string, TensorRef> {
  const found = new Map<string, TensorRef>();
  if (!(value instanceof Map)) return found;
  for (const [name, entry] of value) {
    if (typeof name === "string" && entry instanceof TensorRef) found.set(name, entry);
  }
  return found;
}

function failWithoutTensors(source: string, root: unknown, where: string, dicts: string[] = []): never {
  if (dicts.length > 0) {
    const choice = `say which with { key: ${JSON.stringify(dicts[0])} }`;
    const several = `several dicts of tensors, ${choice}:\n${listOffenders(dicts)}`;
    throw new LuvitError("key-mismatch", `${source}: ${several}`);
  }
  const keys = root instanceof Map ? [...root.keys()].filter((key) => typeof key === "string") : [];
  const holds = keys.length > 0 ? `; the file holds\n${listOffenders(keys as string[])}` : "";
  throw new LuvitError("key-mismatch", `${source}: no tensors${where}${holds}`);
}
