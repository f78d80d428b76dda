import assert from "node:assert/strict";
import { test } from "node:test";
import { imageNetAMapping, imageNetRMapping, imageNetWnids } from "../../src/data/sets";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("timm");

test("the classes of ImageNet-1K, -A and -R are those that timm lists", { skip }, () => {
  const lists = runPython<Record<"all" | "a" | "r", string[]>>("wnids.py");
  const wnids = imageNetWnids();
  assert.deepEqual(wnids, lists.all);
  const classesOf = ({ mappedClasses }: typeof imageNetAMapping) =>
    mappedClasses.map((index) => wnids[index]);
  assert.deepEqual(classesOf(imageNetAMapping), lists.a);
  assert.deepEqual(classesOf(imageNetRMapping), lists.r);
});
