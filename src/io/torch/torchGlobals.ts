import { addNumpy } from "./numpyArrays";
import { type PickleGlobal, PlainRecord } from "./pickle";
import { storageDtypes, torchDtype } from "./torchDtypes";
import { asList, fail, foreignTensor, rebuildTensor, TensorRef } from "./torchTensors";

/** A storage class named in a pickle. */
interface StorageGlobal extends PickleGlobal {
  /** An element type, or "untyped". */
  readonly storage: string;
}

/** A torch.dtype named in a pickle. */
interface DtypeGlobal extends PickleGlobal {
  readonly torchDtype: string;
}

type Charge = (work: number) => void;

/**
 * Everything a torch pickle may refer to, as "module name". Rebuilding a tensor only notes where it lies; tensors of
 * kinds that are not read are noted by name, so that they do no harm where nobody asks for them.
 * Reference: torch/_weights_only_unpickler.py, torch/_utils.py.
 */
export function torchGlobals(source: string): ReadonlyMap<string, PickleGlobal> {
  const globals = new TorchGlobals();
  const add = (name: string, construct?: PickleGlobal["construct"]) => globals.set(name, { name, construct });
  addTensors(source, add);
  addContainers(source, add);
  addNumpy(source, add);
  for (const [type, storage] of [
    ...Object.entries(storageDtypes).map(([type, dtype]) => [`torch ${type}`, dtype]),
    ...["torch.storage UntypedStorage", "torch UntypedStorage"].map((type) => [type, "untyped"]),
  ]) {
    const global: StorageGlobal = { name: type, storage };
    globals.set(type, global);
  }
  return globals;
}

/** The list, and every `torch.<dtype>`, those of later versions too: names that cannot be called. */
class TorchGlobals extends Map<string, PickleGlobal> {
  override get(name: string): PickleGlobal | undefined {
    const known = super.get(name);
    if (known || !name.startsWith("torch ")) return known;
    const dtype = torchDtype(name.slice("torch ".length));
    if (dtype === undefined) return undefined;
    const global: DtypeGlobal = { name, torchDtype: dtype };
    this.set(name, global);
    return global;
  }
}

type Add = (name: string, construct?: PickleGlobal["construct"]) => void;

function addTensors(source: string, add: Add): void {
  const rebuild = (args: readonly unknown[]) => rebuildTensor(source, args, { metadata: args[6] });
  add("torch._utils _rebuild_tensor", rebuild);
  add("torch._utils _rebuild_tensor_v2", rebuild);
  add("torch._utils _rebuild_tensor_v3", (args) =>
    rebuildTensor(source, args, { type: args[6], metadata: args[7] }),
  );
  add("torch._utils _rebuild_parameter", ([data]) => requireTensor(source, data));
  add("torch._utils _rebuild_parameter_with_state", ([data]) => requireTensor(source, data));
  add("torch._tensor _rebuild_from_type_v2", ([, , args]) => rebuild(asList(source, args)));
  add("torch Tensor");
  add("torch.nn.parameter Parameter", ([data]) => requireTensor(source, data));
  add("torch Size", ([lengths]) => asList(source, lengths));
  add("torch device", ([kind]) => kind);
  add("torch._utils _rebuild_qtensor", (args) => rebuildTensor(source, args, { kind: "a quantized tensor" }));
  const foreign = { sparse: "sparse", sparse_csr: "sparse", nested: "nested" };
  for (const [name, kind] of Object.entries(foreign))
    add(`torch._utils _rebuild_${name}_tensor`, () => foreignTensor(`a ${kind} tensor`));
  add("torch._utils _rebuild_meta_tensor_no_storage", () => foreignTensor("a tensor without numbers (meta)"));
  add("torch._utils _rebuild_wrapper_subclass", () => foreignTensor("a tensor of another class"));
  add("torch.serialization _get_layout", ([name]) => name);
  for (const scheme of ["per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams"])
    add(`torch ${scheme}`);
}

function addContainers(source: string, add: Add): void {
  for (const module of ["collections", "_collections"]) {
    add(`${module} OrderedDict`, (args, charge) => asMap(source, args[0] ?? [], charge));
    add(`${module} Counter`, (args, charge) => asMap(source, args[0] ?? [], charge));
    add(`${module} defaultdict`, () => new Map());
  }
  for (const module of ["builtins", "__builtin__"]) {
    for (const type of ["int", "float", "bool", "str", "dict", "list"]) add(`${module} ${type}`);
    add(`${module} set`, ([items], charge) => asSet(source, items, charge));
  }
  add("argparse Namespace", () => new PlainRecord("argparse.Namespace"));
  // mmengine's log of a run, beside the weights of its training checkpoints.
  add("mmengine.logging.history_buffer HistoryBuffer", () => new PlainRecord("mmengine HistoryBuffer"));
}

function requireTensor(source: string, value: unknown): TensorRef {
  return value instanceof TensorRef ? value : fail(source, "a parameter that is no tensor");
}

function asMap(source: string, items: unknown, charge: Charge): Map<unknown, unknown> {
  const pairs = items instanceof Map ? [...items] : asList(source, items);
  charge(pairs.length);
  const map = new Map<unknown, unknown>();
  for (const pair of pairs) {
    const [key, value] = asList(source, pair);
    map.set(key, value);
  }
  return map;
}

function asSet(source: string, items: unknown, charge: Charge): Set<unknown> {
  const list = asList(source, items ?? []);
  charge(list.length);
  return new Set(list);
}
