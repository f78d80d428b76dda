import type { HostTensor, StateDict } from "../core/hostTensor";
import { readMaeCheckpoint } from "../io/maeCheckpoint";
import type { LoadReport } from "../nn/loadStateDict";
import type { Classifier } from "./classifier";
import type { MaskedAutoencoder } from "./mae";
import { fitPositionTable } from "./vit";

/**
 * Loads an official MAE checkpoint (.pth, or safetensors with the same names) into a masked auto-encoder. Released files
 * hold the encoder only; then the decoder keeps its fresh weights. The fusion path, which MAE does not have, always does.
 *
 * @throws LuvitError("key-mismatch" | "shape-mismatch") listing every key that does not fit.
 */
export async function loadMae(model: MaskedAutoencoder, path: string): Promise<LoadReport> {
  const { tensors } = await readMaeCheckpoint(path);
  const decoder = [...tensors.keys()].some((key) => key.startsWith("decoder_"))
    ? []
    : ["decoder_", "mask_token"];
  return model.load(fitted(tensors, model), { source: path, allowMissing: [...fusionKeys, ...decoder] });
}

/**
 * Loads a MAE checkpoint's encoder, or a finetuned MAE classifier, into a classifier. A head, `fc_norm` or fusion path
 * the file lacks keeps its fresh weights; decoder and final norm of a pretraining file are left out.
 */
export async function loadClassifier(model: Classifier, path: string): Promise<LoadReport> {
  const { tensors } = await readMaeCheckpoint(path);
  const unused = model.encoder.norm ? ["decoder_", "mask_token"] : ["decoder_", "mask_token", "norm."];
  return model.load(fitted(tensors, model), {
    source: path,
    allowMissing: [...fusionKeys, "head.", "fc_norm."],
    allowUnexpected: unused,
  });
}

const fusionKeys = ["llama_dim_mapper1.", "llama.", "mlp_norm.", "llama_dim_mapper2."];

const positionTables = ["pos_embed", "decoder_pos_embed"];

/** Positions of another image size are resized bicubically, as MAE does when it finetunes. */
function fitted(tensors: StateDict, model: MaskedAutoencoder | Classifier): StateDict {
  const fit = ([key, tensor]: [string, HostTensor]): [string, HostTensor] => [
    key,
    positionTables.includes(key) ? fitPositionTable(tensor, model.encoder.config) : tensor,
  ];
  return new Map([...tensors].map(fit));
}
