import { LuvitError } from "../../core/errors";

/** What was asked for when the hub refused. */
export interface Subject {
  /** `org/name`. */
  readonly repo: string;
  readonly revision: string;
  readonly endpoint: string;
  /** Undefined for questions about the repository itself. */
  readonly file?: string;
  readonly hasToken: boolean;
}

/** An answer that is no success. */
export interface Refusal {
  readonly status: number;
  /** The hub's own word for it, from X-Error-Code: GatedRepo, RepoNotFound, RevisionNotFound, EntryNotFound, …. */
  readonly code: string | undefined;
  /** The hub's sentence, from X-Error-Message. */
  readonly message: string | undefined;
}

const TOKEN_PLACES = "HF_TOKEN or the file HF_HOME/token (`hf auth login` writes it)";

/** Says what the hub refused and what to do about it. Reference: huggingface_hub/utils/_http.py, `hf_raise_for_status`. */
export function explainRefusal(refusal: Refusal, subject: Subject): LuvitError {
  const { status, code, message } = refusal;
  const { repo, revision, endpoint, file } = subject;
  const said = message ? ` ("${message}")` : "";
  const place = `${endpoint}/${repo}`;
  if (code === "GatedRepo")
    return new LuvitError("no-access", `${place} is gated${said}: ${gateAdvice(subject)}`);
  if (code === "DisabledRepo")
    return new LuvitError("no-access", `${place} has been disabled by the hub${said}`);
  if (code === "RevisionNotFound") {
    const advice = "give a branch, a tag or a commit";
    return new LuvitError("missing-file", `${place} has no revision "${revision}"${said}; ${advice}`);
  }
  if (file !== undefined && (code === "EntryNotFound" || status === 404)) {
    return new LuvitError("missing-file", `${place} at ${revision} has no file ${file}${said}`);
  }
  if (status === 404 || code === "RepoNotFound" || status === 401 || status === 403) {
    return new LuvitError(
      "no-access",
      `${place} cannot be read (HTTP ${status})${said}: ${accessAdvice(subject)}`,
    );
  }
  return new LuvitError("network", `${place}: the hub answered with HTTP ${status}${said}`);
}

function gateAdvice({ endpoint, repo, hasToken }: Subject): string {
  const accept = `accept its conditions at ${endpoint}/${repo}`;
  if (hasToken) return `${accept} with the account of your token, and wait for them to be granted`;
  return `${accept} and give a token in ${TOKEN_PLACES}`;
}

function accessAdvice({ hasToken }: Subject): string {
  if (hasToken) return "there is no such repository, or the token has no right to it (or has expired)";
  return `there is no such repository, or it is private; a private one needs a token in ${TOKEN_PLACES}`;
}
