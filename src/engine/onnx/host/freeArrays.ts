import { MessageChannel } from "node:worker_threads";

/**
 * Gives the memory of arrays back at once; they are empty afterwards. Large arrays that wait for the garbage collector
 * stay through the next run, which needs the room. What is sent to a port that is closed is freed.
 */
export function freeArrays(arrays: Iterable<Float32Array>): void {
  const buffers = new Set([...arrays].map(({ buffer }) => buffer as ArrayBuffer));
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.postMessage(undefined, [...buffers]);
  port1.close();
}
