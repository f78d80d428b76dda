import { LuvitError, listOffenders } from "../core/errors";
import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import type { ModelConfig } from "../models/config";
import { featureLoss, hardTargetDistance, softTargetDistance } from "../nn/distillation";
import { Linear } from "../nn/layers";
import { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import type { ParameterRules } from "../optim/groups";
import type { SettledMatch } from "./featureMatches";
import type { SettledLogits } from "./logitMatch";

/**
 * A student with what is there while it is taught: maps of its tokens to the teacher's width, and the teacher. Keys are
 * the student's own, `distill.<k>.weight` [teacher, student], `distill.<k>.bias`, and `teacher.*`.
 */
export class Taught<S extends Module, T extends Module> extends Module {
  readonly distill: readonly (Linear | undefined)[];

  constructor(
    readonly student: S,
    matches: readonly SettledMatch[],
    seed: number,
    readonly teacher?: T,
  ) {
    super();
    const rng = new Rng(seed).fork("distill");
    const maps: (Linear | undefined)[] = [];
    for (const { index, map } of matches) {
      maps[index] = map && new Linear(map.from, map.to, rng.fork("map", index));
    }
    this.distill = Array.from(maps);
  }

  protected override transparentFields(): readonly string[] {
    return ["student"];
  }

  /** Rules of what is trained: all but the teacher's. */
  withoutTeacher(rules: ParameterRules): ParameterRules {
    return new Map([...rules].filter(([path]) => !path.startsWith("teacher.")));
  }

  /** Weighted sum of how far the student's layers are from the teacher's, one term each. */
  featureTerms(
    matches: readonly SettledMatch[],
    student: ReadonlyMap<string, Tensor>,
    teacher: ReadonlyMap<string, Tensor>,
  ): Tensor[] {
    return matches.map(({ index, weight, distance, ...names }) => {
      const tokens = student.get(names.student)!;
      const mapped = this.distill[index]?.forward(tokens) ?? tokens;
      return weighted(featureLoss(mapped, teacher.get(names.teacher)!, distance), weight);
    });
  }
}

/** Distance of logits, times its weight. */
export function logitTerm(
  { targets, weight, ...soft }: SettledLogits,
  student: Tensor,
  teacher: Tensor,
): Tensor {
  const distance =
    targets === "hard" ? hardTargetDistance(student, teacher) : softTargetDistance(student, teacher, soft);
  return weighted(distance, weight);
}

export function weighted(loss: Tensor, weight: number): Tensor {
  return weight === 1 ? loss : tf.mul(loss, weight);
}

export function sumOf([first, ...others]: readonly Tensor[]): Tensor {
  return others.reduce((sum, term) => tf.add(sum, term), first);
}

/** A teacher's weights by the paths that they have beside a student. */
export function teacherWeights(teacher: Module): Map<string, Parameter> {
  return new Map([...teacher.namedParameters()].map(([path, parameter]) => [`teacher.${path}`, parameter]));
}

/** What of a config decides a model's answers, beside its weights. */
export function whatDecides(config: ModelConfig): Record<string, unknown> {
  const { luvitVersion, blockSource, external, frozen, ...what } = config;
  return what;
}

/** @throws LuvitError("bad-argument") where what is to be trained belongs to the teacher too. */
export function expectOwnWeights(where: string, student: Module, teacher: Module): void {
  const taught = new Set([...student.namedParameters()].map(([, p]) => p).filter((p) => p.trainable));
  const common = [...teacher.namedParameters()].filter(([, p]) => taught.has(p)).map(([path]) => path);
  if (common.length === 0) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: student and teacher are the same model, or share weights that are trained\n${listOffenders(common)}\n` +
      "The teacher stays as it is; teach a model of its own, e.g. await teacher.clone(() => false).",
  );
}
