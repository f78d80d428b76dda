import type { Tensor } from "../../src/core/tf";
import { MaskedAutoencoder } from "../../src/models/mae";
import { maskFromNoise } from "../../src/models/masking";
import { patchify } from "../../src/nn/patches";
import { trainableVariables } from "../../src/nn/variables";
import { lossAndGradients } from "../../src/optim/gradients";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import { absolute, compareAll, hostGradients, load, stateDict, tensor, vitConfig } from "./support";

export const runMaePretrain: CaseRunner = async (folder, { config, recommended_tolerance: tolerance }) => {
  const io = load(folder, "io.safetensors");
  const build = (normPixLoss: boolean) => {
    const decoder = {
      dim: config.decoder_embed_dim,
      depth: config.decoder_depth,
      heads: config.decoder_num_heads,
      mlpRatio: config.mlp_ratio,
    };
    const model = new MaskedAutoencoder({
      encoder: vitConfig(config),
      decoder,
      maskRatio: config.mask_ratio,
      normPixLoss,
    });
    model.loadStateDict(stateDict(load(folder, "state.safetensors")));
    return model;
  };
  const model = build(config.norm_pix_loss);
  const mask = maskFromNoise(io.get("noise")!.data, config.batch, config.mask_ratio);
  const images = tensor(io.get("imgs")!);
  const inputs = model.inputs(images, mask);
  const checks: Check[] = [
    { name: "mask", error: maxAbsError(mask.mask, io.get("mask")!.data), tolerance: 0 },
    { name: "ids_restore", error: maxAbsError(mask.idsRestore, io.get("ids_restore")!.data), tolerance: 0 },
  ];

  const taps = new Map<string, Tensor>();
  const latent = model.encode(inputs, { tap: (name, value) => taps.set(name, value) });
  for (let k = 0; k < config.depth; k++) {
    const expected = io.get(`encoder_block${k}_out`)!;
    checks.push(absolute(`block ${k}`, taps.get(`blocks.${k}.out`)!, expected, tolerance.latent_abs));
  }
  checks.push(absolute("latent", latent, io.get("latent")!, tolerance.latent_abs));
  checks.push(
    absolute("pred", model.decode(latent, inputs.restoreRows), io.get("pred")!, tolerance.pred_abs),
  );
  checks.push(absolute("patchified", patchify(images, config.patch_size), io.get("patchified")!, 0));
  checks.push(
    absolute("target", build(true).target(images), io.get("target_norm_pix")!, tolerance.latent_abs),
  );

  const { loss, gradients } = lossAndGradients(() => model.loss(inputs), trainableVariables(model));
  checks.push(absolute("loss", loss, io.get("loss")!, tolerance.loss_abs));
  checks.push(
    ...compareAll("gradients", hostGradients(gradients), load(folder, "grads.safetensors"), {
      abs: tolerance.grads_abs,
      relative: tolerance.grads_rel_to_tensor_max,
    }),
  );
  const plain = build(false).loss(inputs);
  checks.push(absolute("loss, raw pixels", plain, io.get("loss_no_norm_pix")!, tolerance.loss_abs));
  return checks;
};
