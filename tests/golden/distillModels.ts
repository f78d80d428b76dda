import { create as createClassifier } from "../../src/models/classifier";
import { through } from "../../src/models/fusion";
import { MaskedAutoencoder } from "../../src/models/mae";
import { maskFromNoise } from "../../src/models/masking";
import { finetuneRules, pretrainRules } from "../../src/optim/groups";
import { asked, distillLoss } from "../../src/train/distill";
import { settleMatches } from "../../src/train/featureMatches";
import { taughtParts } from "../../src/train/pretrainTaught";
import { Taught } from "../../src/train/taught";
import { ask } from "../../src/train/teacherAnswers";
import type { CaseFile } from "./harness";
import { goldenBlock } from "./luvit";
import { type GoldenTensors, load, stateDict, tensor, vitConfig } from "./support";

/** Both models' tensors in one, by the paths of what is taught. */
function bothStates(student: GoldenTensors, teacher: GoldenTensors, rename = (name: string) => name) {
  const prefixed = new Map([...teacher].map(([name, tensor]) => [`teacher.${name}`, tensor]));
  return stateDict(new Map([...student, ...prefixed]), rename);
}

/** Student, teacher and loss of `distill_step`, with the case's weights. */
export function stepModels(folder: string, { config }: CaseFile) {
  const classifier = (sizes: CaseFile["config"]) =>
    createClassifier({
      encoder: vitConfig(sizes),
      classes: sizes.num_classes,
      ...(sizes.llm_dim !== undefined && { fusion: through(goldenBlock(sizes)) }),
    });
  const [student, teacher] = [classifier(config.student), classifier(config.teacher)];
  // The case says its layers in words: "llama_dim_mapper2 output, all tokens", "output of blocks.1, all tokens, …".
  const layer = /blocks\.\d+/.exec(config.features.student)![0];
  if (!config.features.teacher.startsWith("llama_dim_mapper2 output")) throw new Error("unknown layer");
  const weight = config.weight_features;
  const weights = load(folder, "student.safetensors");
  const match = { teacher: "fusion.mapper2", student: layer, weight, map: weights.has("distill.0.weight") };
  const matches = settleMatches("golden", [match], asked(teacher), asked(student));
  const taught = new Taught(student, matches, 0, teacher);
  taught.loadStateDict(bothStates(weights, load(folder, "teacher.safetensors")));
  const { temperature, reduction, weight_logits: logits, weight_labels: labels, weight_decay } = config;
  const options = { weightDecay: weight_decay, layerDecay: 1, depth: config.student.depth };
  const terms = {
    labels,
    logits: { targets: "soft", temperature, reduction, weight: logits } as const,
    matches,
  };
  return {
    taught,
    rules: taught.withoutTeacher(finetuneRules(taught, options)),
    loss: distillLoss(taught, terms, ({ images }) => ask(teacher, images)),
  };
}

const variants: Record<string, { loss: "l1" | "mse"; normalize?: "unit" }> = {
  mapped_l1: { loss: "l1", normalize: "unit" },
  raw_l2: { loss: "mse" },
};

/** The variants that a case has. */
export const maeVariants = ({ config }: CaseFile): string[] => Object.keys(config.variants);

/** A masked auto-encoder of the sizes that weights have; heads are not among them. */
function maeOf(tensors: GoldenTensors, heads: number, { config }: CaseFile): MaskedAutoencoder {
  const depthOf = (blocks: string) =>
    new Set([...tensors.keys()].filter((name) => name.startsWith(blocks)).map((name) => name.split(".")[1]))
      .size;
  const stack = (blocks: string, dim: number) => ({
    dim,
    depth: depthOf(`${blocks}.`),
    mlpRatio: tensors.get(`${blocks}.0.mlp.fc1.weight`)!.shape[0] / dim,
  });
  const { img_size: imageSize, patch_size: patchSize } = config.student;
  return new MaskedAutoencoder({
    encoder: { imageSize, patchSize, heads, ...stack("blocks", tensors.get("cls_token")!.shape[2]) },
    decoder: {
      heads: config.student_decoder.decoder_num_heads,
      ...stack("decoder_blocks", tensors.get("mask_token")!.shape[2]),
    },
    maskRatio: config.mask_ratio,
    normPixLoss: Boolean(config.norm_pix_loss),
  });
}

const MAPS = "aligned_feature_projection_heads.";

/** Student, teacher and loss of one variant of `distill_mae`, with the case's weights, and its inputs. */
export function maeModels(folder: string, meta: CaseFile, variant: string) {
  const { config } = meta;
  const io = load(folder, "io.safetensors");
  const weights = load(folder, `student_${variant}.safetensors`);
  const theirs = load(folder, "teacher.safetensors");
  const distance = variants[variant];
  if (!distance) throw new Error(`distill_mae: variant ${variant} is not understood`);
  const map = [...weights.keys()].some((name) => name.startsWith(MAPS));
  // A student as wide as the teacher has as many heads.
  const heads = (map ? config.student : config.teacher).num_heads;
  const student = maeOf(weights, heads, meta);
  const teacher = maeOf(theirs, config.teacher.num_heads, meta);
  const features = (config.teacher_blocks as number[]).map((block, j) => {
    const layers = { teacher: `blocks.${block}`, student: `blocks.${config.student_blocks[j]}` };
    return { ...layers, ...distance, map };
  });
  const { whole, loss } = taughtParts(student, { teacher, features }, 0);
  const rename = (name: string) => name.replace(MAPS, "distill.");
  whole.loadStateDict(bothStates(weights, theirs, rename));
  const mask = maskFromNoise(io.get("noise")!.data, config.batch, config.mask_ratio);
  const inputs = () => student.inputs(tensor(io.get("images")!), mask);
  const rules = whole.withoutTeacher(pretrainRules(whole, 0));
  return { whole, student, rules, loss, mask, inputs, rename };
}
