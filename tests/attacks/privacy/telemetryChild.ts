/*
 * A process that runs onnxruntime: node telemetryChild.js <what> <images>. "bare" loads the library as its makers give
 * it; "session" opens an executor in this process; "training" trains in the engine process and prints what it runs on.
 * All stay until the library, left to itself, has begun to send.
 */
import { createRequire } from "node:module";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { openOnnxEngine, stopEngineProcesses } from "../../../src/engine";
import { encodeModel } from "../../../src/engine/onnx/proto";
import { pretrain } from "../../../src/train/pretrain";
import { growingProduct } from "../../unit/engine/processSupport";
import { pretraining, tinyMae } from "../../unit/train/support";

/** Without telemetry turned off, the first name was looked up 9 s after the first session. */
const UNTIL_SENDING_MS = 13_000;

async function bare(): Promise<void> {
  delete process.env.ORT_DISABLE_TELEMETRY;
  const { InferenceSession } = createRequire(__filename)("onnxruntime-node");
  const x = { name: "x", shape: [2], dtype: "float32" } as const;
  const node = { op: "Neg", domain: "", inputs: ["x"], outputs: ["y"], attributes: {} };
  const outputs = [{ ...x, name: "y" }];
  const model = { name: "bare", nodes: [node], inputs: [x], outputs, initializers: [] };
  await InferenceSession.create(encodeModel(model), {});
}

async function session(): Promise<void> {
  await openOnnxEngine({ step: { graph: growingProduct() } }, { threads: 1 });
}

async function training(images: string): Promise<void> {
  const set = await imageFolder(images, { transform: transforms.mae(16) });
  const run = pretrain(tinyMae(), set, { ...pretraining, out: false, engine: "onnxruntime" });
  await run.done;
  console.log(run.engine);
}

async function main([what, images]: readonly string[]): Promise<void> {
  if (what === "bare") await bare();
  if (what === "session") await session();
  if (what === "training") await training(images);
  await new Promise((resolve) => setTimeout(resolve, UNTIL_SENDING_MS));
  await stopEngineProcesses();
}

void main(process.argv.slice(2));
