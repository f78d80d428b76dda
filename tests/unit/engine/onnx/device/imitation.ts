import assert from "node:assert/strict";
import { openOnnxEngine } from "../../../../../src/engine";
import type { OpenEngine } from "../../../../../src/engine/executor";
import { openOnDevice } from "../../../../../src/engine/onnx/device/open";
import {
  loadOnnxRuntime,
  type OnnxRuntime,
  type OnnxSession,
  type OnnxTensor,
} from "../../../../../src/engine/onnx/runtime";

/** A tensor that lies on a device: its numbers must not be asked for. */
class DeviceTensor implements OnnxTensor {
  readonly location = "gpu-buffer";
  private isDisposed = false;

  constructor(
    private readonly inner: OnnxTensor,
    private readonly alive: Set<DeviceTensor>,
  ) {
    alive.add(this);
  }

  get dims() {
    return this.inner.dims;
  }

  get data(): never {
    throw new Error("the numbers of a device's tensor were asked for");
  }

  get onHost(): OnnxTensor {
    assert.ok(!this.isDisposed, "a tensor that was given back is used");
    return this.inner;
  }

  dispose(): void {
    assert.ok(!this.isDisposed, "a tensor is given back twice");
    this.isDisposed = true;
    this.alive.delete(this);
  }
}

/** onnxruntime on the processor as if it were a device: what stays there is counted, and which models run. */
export class DeviceImitation {
  readonly alive = new Set<DeviceTensor>();
  readonly log: string[] = [];
  sessions = 0;
  /** Runs of models with this in their name fail. */
  failing: string | undefined;
  readonly runtime: OnnxRuntime;

  constructor() {
    const { InferenceSession, Tensor } = loadOnnxRuntime();
    const create = async (bytes: Uint8Array, options: object) => {
      const { preferredOutputLocation: kept = {} } = options as { preferredOutputLocation?: object };
      const session = await InferenceSession.create(bytes, {
        ...options,
        executionProviders: ["cpu"],
        preferredOutputLocation: undefined,
        extra: { ...(options as { extra: object }).extra, session: {} },
      });
      return this.over(session, nameOf(bytes), new Set(Object.keys(kept)));
    };
    this.runtime = { InferenceSession: { create }, Tensor };
  }

  readonly open: OpenEngine = (programs, options) =>
    openOnnxEngine(programs, { ...options, provider: "webgpu" }, (parts) =>
      openOnDevice({ ...parts, runtime: this.runtime }),
    );

  /** What has run since the last time, and what is alive. */
  since(): string {
    const runs = this.log.splice(0).join(", ");
    return `${runs || "nothing"}; ${this.alive.size} alive, ${this.sessions} sessions`;
  }

  private over(session: OnnxSession, name: string, kept: ReadonlySet<string>): OnnxSession {
    this.sessions++;
    this.log.push(`open ${name}`);
    return {
      run: async (feeds, fetches) => {
        if (this.failing && name.includes(this.failing)) throw new Error(`${name} failed`);
        this.log.push(`${name}(${Object.keys(feeds).join(" ")})`);
        const entries = Object.entries(feeds).map(([key, tensor]) => [
          key,
          tensor instanceof DeviceTensor ? tensor.onHost : tensor,
        ]);
        const results = Object.entries(await session.run(Object.fromEntries(entries), fetches));
        return Object.fromEntries(
          results.map(([key, tensor]) => [
            key,
            kept.has(key) ? new DeviceTensor(tensor, this.alive) : tensor,
          ]),
        );
      },
      release: async () => {
        this.sessions--;
        this.log.push(`release ${name}`);
        await session.release();
      },
    };
  }
}

/** The name of a model's graph: its last text of field 2 that is a known one. */
function nameOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1");
  const known = ["squares", "update", "zeros", "copy", "half trial", "add", "step", "average", "ask", "main"];
  return known.find((name) => text.includes(`\x12${String.fromCharCode(name.length)}${name}`)) ?? "another";
}
