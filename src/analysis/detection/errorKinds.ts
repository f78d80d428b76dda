import type { CocoAnnotation, CocoResult } from "../../data/coco";

/** What is wrong with a result, or (missed) that there is none. */
export type DetectionErrorKind =
  | "classification"
  | "localization"
  | "both"
  | "duplicate"
  | "background"
  | "missed";

export const errorKinds: readonly DetectionErrorKind[] = [
  "classification",
  "localization",
  "both",
  "duplicate",
  "background",
  "missed",
];

/** A wrong result, or a truth that nothing was found of. */
export interface DetectionError {
  readonly kind: DetectionErrorKind;
  readonly imageId: number;
  readonly result?: CocoResult;
  /** The object that it is about; absent for background. */
  readonly truth?: CocoAnnotation;
  /** The overlap of both. */
  readonly iou?: number;
}

/** A result that has found an object. */
export interface RightResult {
  readonly result: CocoResult;
  readonly truth: CocoAnnotation;
  /** The overlap of both. */
  readonly iou: number;
}

/** Errors that would be right results if they were mended. */
export const mendable = (kind: DetectionErrorKind) => kind === "classification" || kind === "localization";
