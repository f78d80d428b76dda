import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { satisfies } from "../../../../src/kernel/packages/range";

describe("ranges of versions", () => {
  it("hold what npm takes them to hold", () => {
    for (const [range, within, without] of [
      ["1.2.3", ["1.2.3", "1.2.3+build"], ["1.2.4", "1.2.3-rc.1"]],
      ["", ["0.0.1", "9.9.9"], ["1.0.0-rc"]],
      ["*", ["1.0.0"], []],
      ["4", ["4.0.0", "4.17.21"], ["3.9.9", "5.0.0", "5.0.0-rc"]],
      ["4.17", ["4.17.0", "4.17.21"], ["4.16.9", "4.18.0"]],
      ["4.x", ["4.9.9"], ["5.0.0"]],
      ["^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0"]],
      ["^0.2.3", ["0.2.9"], ["0.3.0"]],
      ["^0.0.3", ["0.0.3"], ["0.0.4"]],
      ["~1.2.3", ["1.2.9"], ["1.3.0"]],
      ["~1", ["1.9.9"], ["2.0.0"]],
      [">=1.2 <2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0"]],
      ["> 1", ["2.0.0"], ["1.9.9"]],
      ["<=1.2", ["1.2.9"], ["1.3.0"]],
      ["1.2 - 1.4.1", ["1.2.0", "1.4.1"], ["1.4.2"]],
      ["1 || 3", ["1.5.0", "3.0.0"], ["2.0.0"]],
      ["^1.0.0-rc.2", ["1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.4.0"], ["1.0.0-rc.1", "1.1.0-rc.3"]],
    ] as const) {
      for (const version of within) assert.equal(satisfies(version, range), true, `${version} in ${range}`);
      for (const version of without) assert.equal(satisfies(version, range), false, `${version} in ${range}`);
    }
  });

  it("are told from tags, which only a registry can tell", () => {
    for (const tag of ["latest", "next", "beta"]) assert.equal(satisfies("1.0.0", tag), undefined);
  });
});
