import type { TfValue } from "./builder";
import type { Call, Rules } from "./call";

function gather(call: Call): TfValue {
  const x = call.input("x");
  const axis = call.axis("axis", x.shape.length);
  const attributes = {
    batch_dims: { integer: call.attribute<number | undefined>("batchDims") ?? 0 },
    Tparams: { type: x.dtype },
    Tindices: { type: "int32" },
    Taxis: { type: "int32" },
  } as const;
  const operands = [x, call.input("indices"), call.ops.scalar(axis, "int32")];
  return call.ops.make("GatherV2", operands, { shape: call.shape(), dtype: x.dtype }, { attributes });
}

function gatherNd(call: Call): TfValue {
  const params = call.input("params");
  const attributes = { Tparams: { type: params.dtype }, Tindices: { type: "int32" } } as const;
  const type = { shape: call.shape(), dtype: params.dtype };
  return call.ops.make("GatherNd", [params, call.input("indices")], type, { attributes });
}

function scatter(call: Call): TfValue {
  const updates = call.input("updates");
  const attributes = { T: { type: updates.dtype }, Tindices: { type: "int32" } } as const;
  const operands = [call.input("indices"), updates, call.ops.integers(call.shape())];
  return call.ops.make("ScatterNd", operands, { shape: call.shape(), dtype: updates.dtype }, { attributes });
}

function segmentSum(call: Call): TfValue {
  const x = call.input("x");
  const attributes = {
    T: { type: x.dtype },
    Tindices: { type: "int32" },
    Tnumsegments: { type: "int32" },
  } as const;
  const count = call.ops.scalar(call.attribute("numSegments"), "int32");
  const operands = [x, call.input("segmentIds"), count];
  return call.ops.make(
    "UnsortedSegmentSum",
    operands,
    { shape: call.shape(), dtype: x.dtype },
    { attributes },
  );
}

function oneHot(call: Call): TfValue {
  const { ops } = call;
  const [depth, on, off] = ["depth", "onValue", "offValue"].map((name) => call.attribute<number>(name));
  const operands = [call.input("indices"), ops.scalar(depth, "int32"), ops.scalar(on), ops.scalar(off)];
  const attributes = { T: { type: "float32" }, TI: { type: "int32" }, axis: { integer: -1 } } as const;
  return ops.make("OneHot", operands, { shape: call.shape(), dtype: "float32" }, { attributes });
}

/** Ops that take places as operands. */
export const indexing: Rules = {
  GatherNd: gatherNd,
  GatherV2: gather,
  OneHot: oneHot,
  ScatterNd: scatter,
  UnsortedSegmentSum: segmentSum,
};
