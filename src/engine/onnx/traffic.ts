import type { OnnxSession, OnnxTensor } from "./runtime";

/** Counts what sessions on a device take from host memory and give back to it. */
export class HostTraffic {
  bytes = 0;

  /** The session, counted. */
  over(session: OnnxSession): OnnxSession {
    return {
      run: async (feeds, fetches) => {
        const results = await session.run(feeds, fetches);
        this.bytes += hostBytes([...Object.values(feeds), ...Object.values(results)]);
        return results;
      },
      release: () => session.release(),
    };
  }
}

/** Bytes of those tensors whose numbers lie in host memory; numbers that lie elsewhere must not be asked for. */
export function hostBytes(tensors: readonly OnnxTensor[]): number {
  const sizes = tensors.map((tensor) => (tensor.location === "cpu" ? tensor.data.byteLength : 0));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
