import { dirname, sep } from "node:path";
import type { Location, Scripts, UserScript } from "./scripts";
import type { RemoteValue } from "./target";

/** A frame of a stopped thread as the inspector has it. */
export interface CallFrame {
  callFrameId: string;
  functionName: string;
  functionLocation?: Location;
  location: Location;
  scopeChain: { type: string; object: { objectId: string } }[];
  this: RemoteValue;
}

/** A frame as the frontend has it. */
export interface Frame {
  id: number;
  call: CallFrame;
  /** The user's script that it is in; undefined in libraries. */
  script: UserScript | undefined;
  name: string;
  path: string;
  title: string;
  line: number;
  column: number;
}

const kernelFolder = dirname(__dirname) + sep;

/** Scripts that no step goes into, as the inspector wants it: what Node and packages bring. */
export const foreign = [
  "^node:",
  "[/\\\\]node_modules[/\\\\]",
  "^luvit-kernel-",
  `^file:.*${escaped(dirname(dirname(__dirname)).replaceAll("\\", "/"))}/`,
];

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * The frames that say something to who wrote the cells: those of cells, of local files, and of packages between them;
 * without the kernel's and Node's.
 */
export async function framesOf(
  calls: readonly CallFrame[],
  scripts: Scripts,
  firstId: number,
): Promise<Frame[]> {
  const lowest = calls.map(({ location }) => scripts.of(location.scriptId) !== undefined).lastIndexOf(true);
  const shown = calls
    .slice(0, lowest + 1)
    .filter(({ location }) => scripts.of(location.scriptId) || !isKernels(scripts.name(location.scriptId)));
  return Promise.all(shown.map((call, index) => frameOf(call, scripts, firstId + index)));
}

async function frameOf(call: CallFrame, scripts: Scripts, id: number): Promise<Frame> {
  const { location, functionName } = call;
  const script = scripts.of(location.scriptId);
  if (!script) {
    const path = scripts.name(location.scriptId);
    const { lineNumber, columnNumber = 0 } = location;
    const place = { line: lineNumber + 1, column: columnNumber + 1 };
    return { id, call, script, name: functionName || "(anonymous)", path, title: path, ...place };
  }
  const place = (await scripts.place(script, location)) ?? { line: 1, column: 1 };
  const { path, title } = script;
  return { id, call, script, name: functionName || nameOfTop(call, script), path, title, ...place };
}

/** A function without a name: the cell's or the file's own, or one of theirs. */
function nameOfTop({ functionLocation }: CallFrame, { isFile, title, start }: UserScript): string {
  const { lineNumber, columnNumber } = functionLocation ?? {};
  const isTop = lineNumber === start && (start < 0 || columnNumber === 0);
  return isTop ? `<${isFile ? "module" : title}>` : "(anonymous)";
}

function isKernels(script: string): boolean {
  return script === "" || /^(node:|luvit-|evalmachine)/.test(script) || script.startsWith(kernelFolder);
}
