import { createHash } from "node:crypto";
import type { Module } from "./module";
import type { Parameter } from "./parameter";

/** SHA-256 of a parameter's float32 values. */
export async function parameterDigest(parameter: Parameter): Promise<string> {
  const data = await parameter.peek();
  return createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");
}

/** SHA-256 of all of a model's parameters, by path. */
export async function modelDigest(model: Module): Promise<string> {
  const whole = createHash("sha256");
  for (const [path, parameter] of model.namedParameters()) {
    whole.update(`${path} ${await parameterDigest(parameter)}\n`);
  }
  return whole.digest("hex");
}
