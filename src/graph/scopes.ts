/** Blocks of the trace that is going on: which one the body is in, and how often each name was used. */
interface BlockMarks {
  current?: string;
  readonly uses: Map<string, number>;
}

let marks: BlockMarks | undefined;

/**
 * Runs the forward pass of one block, e.g. `inBlock("blocks.3", () => block.forward(x))`. A trace marks what happens
 * in it, so that passes can treat the block as one (`memory: "recompute"`); outside a trace this is the call alone. A
 * block inside a block belongs to the outer one.
 */
export function inBlock<Result>(name: string, body: () => Result): Result {
  const active = marks;
  if (!active || active.current !== undefined) return body();
  active.current = freshName(active, name);
  try {
    return body();
  } finally {
    active.current = undefined;
  }
}

/** Name of the block being traced, if the body is in one. */
export function currentBlock(): string | undefined {
  return marks?.current;
}

/** Runs the body of a trace, in which blocks are marked. */
export function withBlockMarks<Result>(body: () => Result): Result {
  marks = { uses: new Map() };
  try {
    return body();
  } finally {
    marks = undefined;
  }
}

/** Layers applied twice make two blocks: "blocks.3", then "blocks.3#2". */
function freshName({ uses }: BlockMarks, name: string): string {
  const count = (uses.get(name) ?? 0) + 1;
  uses.set(name, count);
  return count === 1 ? name : `${name}#${count}`;
}
