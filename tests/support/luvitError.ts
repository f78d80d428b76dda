import assert from "node:assert/strict";
import { LuvitError, type LuvitErrorCode } from "../../src/core/errors";

/** A LuvitError of one code whose message holds every text; for assert.throws and assert.rejects. */
export function isLuvitError(code: LuvitErrorCode, ...texts: string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof LuvitError, `not a LuvitError: ${error}`);
    assert.equal(error.code, code, error.message);
    for (const text of texts) assert.ok(error.message.includes(text), `"${text}" not in: ${error.message}`);
    return true;
  };
}
