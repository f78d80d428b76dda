import { LuvitError } from "../core/errors";
import { type Tensor, tf } from "../core/tf";
import { atCallSite } from "./callSite";
import type { GraphAttributes, GraphDtype } from "./ir";
import { graphDtypes, type Recorder } from "./recorder";
import { knownKernels } from "./shapes";

const BACKEND = "luvit-trace";

/** A tfjs backend that computes nothing: data written is a constant, a kernel call a node, a read an error. */
class TraceBackend extends tf.KernelBackend {
  recorder: Recorder | undefined;
  private references = new WeakMap<object, number>();
  private count = 0;

  get recording(): Recorder {
    if (this.recorder) return this.recorder;
    throw new LuvitError("bad-argument", `a tensor of a finished trace was used${atCallSite()}`);
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    if (!graphDtypes.includes(dtype)) {
      throw new LuvitError("bad-argument", `a step cannot hold a ${dtype} tensor${atCallSite()}`);
    }
    const dataId = this.hold({});
    this.recording.addConstant(dataId, values as Float32Array, { shape, dtype: dtype as GraphDtype });
    return dataId;
  }

  /** Counts a first reference to a new data id. */
  hold(dataId: object): tf.DataId {
    this.references.set(dataId, 1);
    this.count++;
    return dataId as tf.DataId;
  }

  override readSync(dataId: tf.DataId): never {
    throw this.recording.readError(dataId);
  }

  override async read(dataId: tf.DataId): Promise<never> {
    throw this.recording.readError(dataId);
  }

  override move(): never {
    throw new LuvitError(
      "bad-argument",
      `a tensor from outside cannot enter a step by moving${atCallSite()}`,
    );
  }

  override incRef(dataId: tf.DataId): void {
    this.references.set(dataId, this.refCount(dataId) + 1);
  }

  override refCount(dataId: tf.DataId): number {
    return this.references.get(dataId) ?? 0;
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    const left = this.refCount(dataId) - 1;
    if (left > 0 && !force) {
      this.references.set(dataId, left);
      return false;
    }
    if (this.references.delete(dataId)) this.count--;
    return true;
  }

  override numDataIds(): number {
    return this.count;
  }

  override memory() {
    return { unreliable: false };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override dispose(): void {}
}

const backend = new TraceBackend();

/** A tensor that stands for a declared value. */
export function symbolicTensor(
  recorder: Recorder,
  name: string,
  shape: readonly number[],
  dtype: GraphDtype,
): Tensor {
  const dataId = backend.hold({});
  recorder.declare(dataId, { shape, dtype }, name);
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape: [...shape], dtype }, backend);
}

/** Runs `body` on the tracing backend, then gives tfjs its backend back, whatever happened. */
export function recordWith<Result>(recorder: Recorder, body: () => Result): Result {
  const previous = tf.getBackend();
  if (!previous) throw new LuvitError("engine", `trace "${recorder.name}": run await luvit.ready() first`);
  const { gradientDepth, kernelDepth } = tf.engine().state;
  if (backend.recorder || gradientDepth > 0 || kernelDepth > 0) {
    throw new LuvitError("bad-argument", `trace "${recorder.name}": inside another trace or gradient`);
  }
  register();
  activate(BACKEND);
  backend.recorder = recorder;
  try {
    return body();
  } finally {
    backend.recorder = undefined;
    activate(previous);
  }
}

/** setBackend does its work before its first await, so long as the backend exists. */
function activate(name: string): void {
  void tf.setBackend(name);
  if (tf.getBackend() !== name) throw new LuvitError("engine", `tfjs did not take the backend ${name}`);
}

function register(): void {
  if (!tf.findBackendFactory(BACKEND)) tf.registerBackend(BACKEND, () => backend, 0);
  for (const kernelName of knownKernels()) {
    if (tf.getKernel(kernelName, BACKEND)) continue;
    tf.registerKernel({
      kernelName,
      backendName: BACKEND,
      kernelFunc: ({ inputs, attrs }) => {
        const results = backend.recording.addNode(kernelName, inputs as never, attrs as GraphAttributes);
        for (const { dataId } of results) backend.hold(dataId);
        return results.length === 1 && !alwaysList.has(kernelName) ? results[0] : results;
      },
    });
  }
}

/** Kernels whose callers expect an array even of one result. */
const alwaysList = new Set(["SplitV", "Unpack"]);

/** The kernel that tfjs said it lacks for a trace; undefined for any other error. */
export function missingKernel(error: unknown): string | undefined {
  const pattern = new RegExp(`^Kernel '(.+)' not registered for backend '${BACKEND}'`);
  return error instanceof Error ? pattern.exec(error.message)?.[1] : undefined;
}
