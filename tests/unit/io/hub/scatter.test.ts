import assert from "node:assert/strict";
import { test } from "node:test";
import { Scatter } from "../../../../src/io/hub/scatter";

const file = Uint8Array.from({ length: 100 }, (_, i) => i);

function scattered(...ranges: [start: number, end: number][]) {
  const handed = new Map<number, number[]>();
  const scatter = new Scatter(
    ranges.map(([start, end]) => ({ start, end })),
    (index, bytes) => {
      assert.ok(!handed.has(index), "once");
      handed.set(index, [...bytes]);
    },
  );
  return {
    scatter,
    handed,
    put: (start: number, end: number) => scatter.put(start, file.subarray(start, end)),
  };
}

test("each range gets its own bytes when all of them are there, in whatever pieces they come", () => {
  const { handed, put } = scattered([30, 34], [10, 13]);
  put(12, 13);
  put(30, 32);
  assert.equal(handed.size, 0);
  put(10, 12);
  assert.deepEqual([...handed], [[1, [10, 11, 12]]]);
  put(32, 34);
  assert.deepEqual(handed.get(0), [30, 31, 32, 33]);
});

test("ranges that overlap, lie within one another or are the same are filled as one", () => {
  const { scatter, handed, put } = scattered([10, 16], [12, 14], [14, 20], [10, 16]);
  assert.deepEqual(scatter.extents(), [{ start: 10, end: 20 }]);
  put(10, 15);
  assert.deepEqual([...handed], []);
  put(15, 20);
  assert.deepEqual(handed.get(1), [12, 13]);
  assert.deepEqual(handed.get(2), [14, 15, 16, 17, 18, 19]);
  for (const index of [0, 3]) assert.deepEqual(handed.get(index), [10, 11, 12, 13, 14, 15]);
});

test("what must be filled is told in order, neighbors as one, gaps and empty ranges left out", () => {
  const { scatter, handed } = scattered([20, 30], [40, 41], [10, 20], [31, 40], [5, 5]);
  assert.deepEqual(scatter.extents(), [
    { start: 10, end: 30 },
    { start: 31, end: 41 },
  ]);
  assert.deepEqual([...handed], [[4, []]], "an empty one is there at once");
});

test("a stretch has views of the memory of all ranges it touches, and is theirs when it is said to be filled", () => {
  const { scatter, handed } = scattered([10, 14], [14, 18]);
  const views = scatter.views({ start: 12, end: 16 });
  assert.deepEqual(
    views.map(({ length }) => length),
    [2, 2],
  );
  views[0].set([1, 2]);
  views[1].set([3, 4]);
  scatter.filled({ start: 12, end: 16 });
  scatter.put(10, file.subarray(10, 12));
  scatter.put(16, file.subarray(16, 18));
  assert.deepEqual(
    [handed.get(0), handed.get(1)],
    [
      [10, 11, 1, 2],
      [3, 4, 16, 17],
    ],
  );
  assert.deepEqual(scatter.views({ start: 18, end: 30 }), []);
});
