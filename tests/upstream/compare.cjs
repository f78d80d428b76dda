// Runs the models of one node beside this file on onnxruntime-node's CPU and WebGPU providers and prints where they differ.
//   node tests/upstream/compare.cjs
process.env.ORT_DISABLE_TELEMETRY = "1";
const { join } = require("node:path");
const ort = require("onnxruntime-node");

const models = {
  rmsNormInverse: { x: [2, 8], scale: [8] },
  sliceBackwards: { x: [4, 5] },
  groupedConvTranspose: { x: [1, 4, 2, 2], w: [4, 1, 2, 2] },
};

const size = (shape) => shape.reduce((product, length) => product * length, 1);
const numbers = (shape) => Float32Array.from({ length: size(shape) }, (_, i) => ((i * 7) % 11) / 4 - 1);

async function run(model, provider) {
  const file = join(__dirname, `${model}.onnx`);
  const session = await ort.InferenceSession.create(file, { executionProviders: [provider] });
  const feeds = Object.entries(models[model]).map(([name, shape]) => [
    name,
    new ort.Tensor("float32", numbers(shape), shape),
  ]);
  return session.run(Object.fromEntries(feeds));
}

async function main() {
  const report = {};
  for (const model of Object.keys(models)) {
    const [cpu, webgpu] = [await run(model, "cpu"), await run(model, "webgpu")];
    for (const [name, { data }] of Object.entries(cpu)) {
      const error = Math.max(...data.map((x, i) => Math.abs(x - webgpu[name].data[i])));
      report[`${model} ${name}`] = error;
      if (error > 1e-5) console.error(`${model} ${name}\n  cpu    ${data}\n  webgpu ${webgpu[name].data}`);
    }
  }
  console.log(JSON.stringify(report));
}

main();
