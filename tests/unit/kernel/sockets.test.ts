import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as zmq from "zeromq";
import { Sockets } from "../../../src/kernel/protocol/sockets";

/* The kernel's sockets in this process, over files in place of ports. */

const ip = join(mkdtempSync(join(tmpdir(), "luvit-sockets-")), "kernel");
const ports = { shell_port: 1, control_port: 2, iopub_port: 3, stdin_port: 4, hb_port: 5 };
const connection = { transport: "ipc", ip, key: "", signature_scheme: "hmac-sha256", ...ports };
const delimiter = Buffer.from("<IDS|MSG>");

test("a frontend is welcomed once for each topic that it asks for, and not when it leaves one", async () => {
  const sockets = new Sockets(connection);
  await sockets.open();
  const ears = new zmq.Subscriber({ linger: 0 });
  try {
    ears.connect(`ipc://${ip}-3`);
    const heard = async () => {
      const [topic, mark, , header, , , content] = await ears.receive();
      assert.ok(mark!.equals(delimiter));
      return [`${topic}`, JSON.parse(`${header}`).msg_type, JSON.parse(`${content}`).subscription];
    };
    ears.subscribe("");
    assert.deepEqual(await heard(), ["", "iopub_welcome", ""]);
    ears.subscribe("status");
    assert.deepEqual(await heard(), ["status", "iopub_welcome", "status"]);
    ears.unsubscribe("status");
    ears.subscribe("x".repeat(257));
    ears.subscribe("y".repeat(256));
    const long = "y".repeat(256);
    assert.deepEqual(await heard(), [long, "iopub_welcome", long], "none for what was left or is too long");
    sockets.publish({ type: "stream", content: { text: "last" } });
    assert.equal((await heard())[1], "stream");
  } finally {
    ears.close();
    await sockets.close();
  }
});

test("the heartbeat gives back what comes, of one frame or many", async () => {
  const sockets = new Sockets(connection);
  await sockets.open();
  const heart = new zmq.Dealer({ linger: 0 });
  try {
    heart.connect(`ipc://${ip}-5`);
    for (const frames of [["ping"], ["", "ping"], ["a", "", "b"]]) {
      await heart.send(frames);
      assert.deepEqual((await heart.receive()).map(String), frames);
    }
  } finally {
    heart.close();
    await sockets.close();
  }
});
