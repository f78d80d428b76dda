import { Call as AnyCall, type Rule as AnyRule, type Rules as AnyRules } from "../../lower";
import type { OnnxValue } from "./builder";
import type { OnnxOps } from "./ops";
import type { Scope } from "./scope";

/** One node of the trace, as its rule sees it. */
export class Call extends AnyCall<OnnxValue, OnnxOps, Scope> {}

/** How one op of the trace is written here: gives back its result, or all of them in order. */
export type Rule = AnyRule<Call, OnnxValue>;

export type Rules = AnyRules<Call, OnnxValue>;
