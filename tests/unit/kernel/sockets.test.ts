import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import * as zmq from "zeromq";
import { Sockets } from "../../../src/kernel/protocol/sockets";
import { temporaryFolder } from "../../support/temporaryFolder";

/* The kernel's sockets in this process, over files in place of ports. */

const ip = join(temporaryFolder("sockets"), "kernel");
const ports = { shell_port: 1, control_port: 2, iopub_port: 3, stdin_port: 4, hb_port: 5 };
const connection = { transport: "ipc", ip, key: "", signature_scheme: "hmac-sha256", ...ports };
const delimiter = Buffer.from("<IDS|MSG>");

/** Opens the kernel's sockets and has a frontend's talk with the one at a port. */
async function talk<Frontend extends zmq.Socket>(
  frontend: Frontend,
  port: number,
  conversation: (frontend: Frontend, sockets: Sockets) => Promise<void>,
): Promise<void> {
  const sockets = new Sockets(connection);
  await sockets.open();
  try {
    frontend.connect(`ipc://${ip}-${port}`);
    await conversation(frontend, sockets);
  } finally {
    frontend.close();
    await sockets.close();
  }
}

test("a frontend is welcomed once for each topic that it asks for, and not when it leaves one", () =>
  talk(new zmq.Subscriber({ linger: 0 }), ports.iopub_port, async (ears, sockets) => {
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
  }));

test("the heartbeat gives back what comes, of one frame or many", () =>
  talk(new zmq.Dealer({ linger: 0 }), ports.hb_port, async (heart) => {
    for (const frames of [["ping"], ["", "ping"], ["a", "", "b"]]) {
      await heart.send(frames);
      assert.deepEqual((await heart.receive()).map(String), frames);
    }
  }));
