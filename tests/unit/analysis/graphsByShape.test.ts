import assert from "node:assert/strict";
import { test } from "node:test";
import { GraphsByShape } from "../../../src/analysis/graphsByShape";
import type { Forward } from "../../../src/train/forward";

/** Graphs by name as they are opened and closed; the most that were open at once. */
function watched(most: number) {
  const open = new Set<string>();
  const log: string[] = [];
  let together = 0;
  const graphs = new GraphsByShape(async ({ height, width }, batch) => {
    const name = `${batch} of ${height} x ${width}`;
    if (width === 0) throw new Error("cannot be");
    open.add(name);
    log.push(`+ ${name}`);
    together = Math.max(together, open.size);
    const dispose = async () => {
      open.delete(name);
      log.push(`- ${name}`);
    };
    return { dispose } as Forward;
  }, most);
  return { graphs, open, log, together: () => together };
}

const [wide, high, square] = [
  { height: 2, width: 8 },
  { height: 8, width: 2 },
  { height: 4, width: 4 },
];

test("as many graphs as were asked for are open at once, the least used makes room", async () => {
  const { graphs, open, log, together } = watched(2);
  const first = await graphs.graphFor(wide, 4, 4);
  await graphs.graphFor(high, 1, 1);
  assert.equal(await graphs.graphFor(wide, 4, 4), first);
  await graphs.graphFor(square, 1, 1);
  assert.deepEqual(log, ["+ 4 of 2 x 8", "+ 1 of 8 x 2", "- 1 of 8 x 2", "+ 1 of 4 x 4"]);
  await graphs.graphFor(high, 1, 20);
  assert.deepEqual([...open], ["4 of 2 x 8", "1 of 8 x 2"]);
  assert.equal(together(), 2);
  assert.deepEqual(
    [...graphs.shapes],
    [
      ["2 x 8", 8],
      ["8 x 2", 21],
      ["4 x 4", 1],
    ],
  );
  await graphs.dispose();
  assert.equal(open.size, 0);
});

test("a graph that cannot be opened takes no place", async () => {
  const { graphs, open, together } = watched(1);
  await assert.rejects(graphs.graphFor({ height: 1, width: 0 }, 1, 1), /cannot be/);
  await assert.rejects(graphs.graphFor({ height: 1, width: 0 }, 1, 1), /cannot be/);
  await graphs.graphFor(wide, 1, 1);
  assert.deepEqual([open.size, together()], [1, 1]);
  await graphs.dispose();
});
