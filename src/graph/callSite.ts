import { relative } from "node:path";

/** Frames of tfjs, of Node and of the tracer itself say nothing about who called. */
function isMachinery(frame: string): boolean {
  return (
    frame.includes(__dirname) ||
    /node_modules[\\/]@tensorflow|core[\\/]tf\.|node:|<anonymous>\)?$/.test(frame)
  );
}

/** Depth at which the caller of an op inside tfjs's gradient machinery is still on the stack. */
export const TRACE_STACK_DEPTH = 60;

/** Frames named in a message: an op of this library is called by a layer, the layer by a model. */
const SHOWN_FRAMES = 3;

/** " at src/nn/layers.ts:20:7 < src/models/vit.ts:120:7": the innermost frames outside tfjs and the tracer, if any. */
export function atCallSite(stack = new Error().stack ?? ""): string {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line) && !isMachinery(line));
  const places = frames.flatMap((frame) => /([^\s()]+:\d+:\d+)\)?$/.exec(frame)?.[1] ?? []);
  const shown = places
    .slice(0, SHOWN_FRAMES)
    .map((place) => relative(process.cwd(), place.replace("file://", "")));
  return shown.length > 0 ? ` at ${shown.join(" < ")}` : "";
}
