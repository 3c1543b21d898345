import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { House } from '../../infra/stack/house.ts';
import type { LauncherRun } from './launcher.ts';

/** A place that is searched, or something that is searched for. */
export interface Searched {
  readonly what: string;
  readonly bytes: Buffer;
}

/** Everything that somebody sees who may look at Temporal, at logs, at the list of processes, or who pulls. */
export async function whatOthersSee(house: House, runs: readonly LauncherRun[]): Promise<readonly Searched[]> {
  const files = (await readdir(house.dir)).filter((file) => /\.log$|^temporal\.db(-wal)?$/.test(file));
  const written = await Promise.all(
    files.map(async (file) => ({ what: file, bytes: await readFile(join(house.dir, file)) })),
  );
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    processes.map((pid) => readFile(`/proc/${pid}/cmdline`).catch(() => Buffer.alloc(0))),
  );
  const launcher = runs.map(({ stdout, stderr }) => stdout + stderr).join('\n');
  return [
    { what: 'histories', bytes: withDecoded(await readHistories(house.temporal.address)) },
    ...written.map(({ what, bytes }) => ({ what, bytes: withDecoded(bytes) })),
    { what: 'process arguments', bytes: Buffer.concat(commands) },
    { what: 'launcher output', bytes: Buffer.from(launcher) },
  ];
}

/** What is secret as it is, in hex and in base64. */
export function inEveryCoding(secrets: readonly Searched[]): readonly Searched[] {
  return secrets.flatMap(({ what, bytes }) => [
    { what, bytes },
    { what: `${what} in hex`, bytes: Buffer.from(bytes.toString('hex')) },
    { what: `${what} in base64`, bytes: Buffer.from(bytes.toString('base64').replace(/=+$/, '')) },
  ]);
}

/** `<secret> in <place>` for everything that was found. */
export function find(secrets: readonly Searched[], places: readonly Searched[]): readonly string[] {
  return secrets.flatMap(({ what, bytes }) => {
    assert.ok(bytes.length >= 8, `expected something longer to look for than ${what}`);
    return places.filter((place) => place.bytes.includes(bytes)).map((place) => `${what} in ${place.what}`);
  });
}

/** The bundles about an image, and what they consist of. */
export async function readBundles(registry: string, repository: string, digest: string): Promise<readonly Searched[]> {
  const base = `http://${registry}/v2/${repository}`;
  const evidence: Searched[] = [];
  const { manifests } = JSON.parse(await (await fetch(`${base}/referrers/${digest}`)).text());
  for (const referrer of manifests) {
    const { layers } = JSON.parse(await (await fetch(`${base}/manifests/${referrer.digest}`)).text());
    const bundle = await (await fetch(`${base}/blobs/${layers[0].digest}`)).text();
    const { payload, signatures } = JSON.parse(bundle).dsseEnvelope;
    evidence.push(
      { what: 'a bundle', bytes: Buffer.from(bundle) },
      { what: 'a payload', bytes: Buffer.from(payload, 'base64') },
      { what: 'a signature', bytes: Buffer.from(signatures[0].sig, 'base64') },
    );
  }
  return evidence;
}

async function readHistories(address: string): Promise<Buffer> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const texts: Buffer[] = [];
  for await (const execution of client.workflow.list()) {
    const handle = client.workflow.getHandle(execution.workflowId, execution.runId);
    collect((await handle.fetchHistory()).events, texts);
    collect((await handle.describe()).raw, texts);
  }
  await connection.close();
  assert.ok(texts.length > 100, 'expected histories');
  return Buffer.concat(texts);
}

/** All texts and bytes in a tree. */
function collect(value: unknown, into: Buffer[]): void {
  if (typeof value === 'string') into.push(Buffer.from(`${value}\n`));
  else if (value instanceof Uint8Array) into.push(Buffer.from(value), Buffer.from('\n'));
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) collect(part, into);
}

/** What base64 in it says as well, two levels deep. */
function withDecoded(bytes: Buffer, levels = 2): Buffer {
  if (levels === 0) return bytes;
  const encoded = bytes.toString('latin1').match(/[A-Za-z0-9+/]{24,}={0,2}/g) ?? [];
  const decoded = Buffer.concat(encoded.map((text) => Buffer.from(text, 'base64')));
  return decoded.length === 0 ? bytes : Buffer.concat([bytes, withDecoded(decoded, levels - 1)]);
}
