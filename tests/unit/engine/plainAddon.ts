/**
 * The code of an addon in plain JavaScript, which multiplies rightly: Node takes it for one under an addon's name where
 * `--require` says so.
 */
export const plainAddon = (usesGpu: boolean): string => `const tensors = [];
exports.TF_Version = "2.18.1";
exports.isUsingGpuDevice = () => ${usesGpu};
exports.createTensor = (shape, type, values) => tensors.push({ shape, values }) - 1;
exports.executeOp = (op, attributes, [a, b]) => {
  const [left, right] = [tensors[a], tensors[b]];
  const [[rows, inner], [, columns]] = [left.shape, right.shape];
  const product = new Float32Array(rows * columns);
  for (let i = 0; i < product.length; i++)
    for (let k = 0; k < inner; k++)
      product[i] += left.values[Math.floor(i / columns) * inner + k] * right.values[k * columns + (i % columns)];
  return [{ id: tensors.push({ values: product }) - 1 }];
};
exports.tensorDataSync = (id) => tensors[id].values;`;
