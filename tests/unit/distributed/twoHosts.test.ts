import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";

/*
 * Two network namespaces, joined by a cable that can be pulled, are two hosts to mpirun, which reaches the second one
 * through an agent that enters its namespace instead of ssh.
 */

const ip = (...args: string[]) => spawnSync("ip", args).status === 0;
const [first, second] = [0, 1].map((host) => `luvit${process.pid % 10_000}h${host}`);
const cable = (host: number) => `lv${process.pid % 10_000}c${host}`;

function connect(): boolean {
  const link = [
    "link",
    "add",
    cable(0),
    "netns",
    first,
    "type",
    "veth",
    "peer",
    "name",
    cable(1),
    "netns",
    second,
  ];
  const up = (name: string, host: number) =>
    ip("-n", name, "addr", "add", `10.77.0.1${host}/24`, "dev", cable(host)) &&
    ip("-n", name, "link", "set", cable(host), "up") &&
    ip("-n", name, "link", "set", "lo", "up");
  return (
    ip("netns", "add", first) && ip("netns", "add", second) && ip(...link) && up(first, 0) && up(second, 1)
  );
}

const disconnect = () => [first, second].map((name) => ip("netns", "del", name));

function whyNot(): string | false {
  if (spawnSync("mpirun", ["--version"]).status !== 0)
    return "MPI's mpirun is not there: two hosts are untested";
  if (connect()) return false;
  disconnect();
  return "network namespaces cannot be made here (root and ip are needed): two hosts are untested";
}

describe("two hosts", { skip: whyNot() }, () => {
  const folder = mkdtempSync(join(tmpdir(), "luvit-hosts-"));
  after(() => {
    disconnect();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a cable that is pulled in the middle of a run ends it with the reason, and nothing is left", async () => {
    const agent = join(folder, "agent");
    const enter = `exec ip netns exec luvit${process.pid % 10_000}h\${host##*.1} unshare -u bash -c "hostname h\${host##*.1}; $*"`;
    writeFileSync(agent, `#!/bin/bash\nwhile [[ $1 == -* ]]; do shift; done; host=$1; shift\n${enter}\n`);
    chmodSync(agent, 0o755);
    const settings = {
      ...{ plm_rsh_agent: agent, oob_tcp_if_include: "10.77.0.0/24", btl_tcp_if_include: "10.77.0.0/24" },
      ...{ btl: "self,tcp", pml: "ob1", mpi_yield_when_idle: "1" },
      ...{ oob_tcp_keepalive_time: "5", oob_tcp_keepalive_intvl: "3", oob_tcp_keepalive_probes: "3" },
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["--mca", name, value]);
    const worker = [
      process.execPath,
      join(__dirname, "worker.js"),
      "pretrain",
      "onnxruntime",
      "-",
      "new",
      "long",
    ];
    const command = ["mpirun", "--host", "10.77.0.10,10.77.0.11", "-n", "2", ...options, ...worker].join(" ");
    const inFirst = ["netns", "exec", first, "unshare", "-u", "bash", "-c", `hostname h0; ${command}`];
    const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };
    const child = spawn("ip", inFirst, { env });
    let output = "";
    let pulled = 0;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (text) => {
        output += text;
        if (pulled > 0 || !/^loss 5 /m.test(output)) return;
        pulled = Date.now();
        ip("-n", first, "link", "set", cable(0), "down");
      });
    const status = await new Promise((resolve) => child.on("close", resolve));
    assert.ok(pulled > 0, `it ended before five steps:\n${output}`);
    assert.notEqual(status, 0);
    assert.match(output, /lost communication with a remote daemon/);
    assert.ok(Date.now() - pulled < 120_000, "it does not hang");
  });
});
