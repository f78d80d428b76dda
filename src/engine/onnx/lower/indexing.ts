import type { OnnxValue } from "./builder";
import type { Call, Rules } from "./call";

/** Indices as ONNX's ND operators want them: int64, with a last axis over the coordinates. */
function coordinates(call: Call, name: string): OnnxValue {
  const ids = call.input(name);
  return call.ops.cast(call.ops.reshape(ids, [...ids.shape, 1]), "int64");
}

function gather(call: Call): OnnxValue {
  const x = call.input("x");
  const axis = call.axis("axis", x.shape.length);
  const batch = call.attribute<number | undefined>("batchDims") ?? 0;
  const type = { shape: call.shape(), dtype: x.dtype };
  if (batch === 0) return call.ops.make("Gather", [x, call.input("indices")], type, { axis });
  if (batch !== axis) call.refuse(`batchDims ${batch} with axis ${axis}`);
  return call.ops.make("GatherND", [x, coordinates(call, "indices")], type, { batch_dims: batch });
}

const zeros = (call: Call): OnnxValue =>
  call.ops.make("ConstantOfShape", [call.ops.integers(call.shape())], {
    shape: call.shape(),
    dtype: "float32",
  });

function scatterSum(call: Call, ids: OnnxValue, updates: OnnxValue): OnnxValue {
  const operands = [zeros(call), ids, call.ops.cast(updates, "float32")];
  return call.ops.make(
    "ScatterND",
    operands,
    { shape: call.shape(), dtype: "float32" },
    { reduction: "add" },
  );
}

function oneHot(call: Call): OnnxValue {
  const { ops } = call;
  const numbers = [call.attribute<number>("offValue"), call.attribute<number>("onValue")];
  const values = ops.store([2], "float32", Float32Array.from(numbers));
  const depth = call.attribute<number>("depth");
  const given = ops.cast(call.input("indices"), "int64");
  // The operator takes no single index without an axis.
  const indices = given.shape.length === 0 ? ops.reshape(given, [1]) : given;
  const type = { shape: [...indices.shape, depth], dtype: "float32" as const };
  const rows = ops.make("OneHot", [indices, ops.integers([depth]), values], type, { axis: -1 });
  return ops.reshape(rows, call.shape());
}

/** Ops that take places as operands. Segment and scatter ids are not negative. */
export const indexing: Rules = {
  GatherNd: (call) => {
    const params = call.input("params");
    const indices = call.ops.cast(call.input("indices"), "int64");
    return call.ops.make("GatherND", [params, indices], { shape: call.shape(), dtype: params.dtype });
  },
  GatherV2: gather,
  OneHot: oneHot,
  ScatterNd: (call) => scatterSum(call, call.ops.cast(call.input("indices"), "int64"), call.input("updates")),
  UnsortedSegmentSum: (call) => scatterSum(call, coordinates(call, "segmentIds"), call.input("x")),
};
