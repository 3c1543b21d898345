import { writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRelease } from '../../infra/release.ts';
import { startShim } from '../../infra/stack/portcullis.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { openVerdictCache } from '../../shim/memory/verdict-cache/open.ts';
import type { Verdict } from '../../workflows/verdict/verdict.ts';
import { aPolicyHead } from '../support/backend.ts';
import { encodeQuestion, verifierInput } from '../support/launcher-request.ts';
import { anAllow, createTestVerdictKey } from '../support/verdicts.ts';
import { summarize } from './latency.ts';
import { residentOf } from './resident-memory.ts';
import { renderTable } from './table.ts';
import { timeSuccess } from './timed-exec.ts';

/**
 * Measures a node that answers by itself, with a release as nodes get it: 10,000 kept verdicts, no Temporal. Prints exec to exit of the launcher beside an
 * empty program, how long the daemon takes to its first answer, and its resident memory over many pulls.
 *
 * Usage: node test/bench/node.ts [PULLS]   (default 100000)
 */
const KEPT = 10_000;
const ROUNDS = 500;
const AT_ONCE = 16;
const SAMPLE_EVERY = 1_000;

const pulls = Number(process.argv[2] ?? 100_000);
const key = createTestVerdictKey();
const dir = await mkdtemp(join(tmpdir(), 'portcullis-bench-node-'));
await chmod(dir, 0o700);
const release = join(dir, 'release');
await makeRelease(release);
const launcher = join(release, 'portcullis-verifier');
const [state, run, verdictKeys] = [join(dir, 'state'), join(dir, 'run'), join(dir, 'v.pub')];
await mkdir(run, { mode: 0o700 });
writeFileSync(verdictKeys, key.publicKey.export({ type: 'spki', format: 'pem' }));

const verdicts = keep();
const socket = join(run, 'l.sock');
const begun = performance.now();
const shim = await startShim({
  ...{ dir, temporal: `127.0.0.1:${await freePort()}`, verdictKeys, state },
  ...{ launcherSocket: socket, grpcSocket: join(run, 'g.sock'), program: join(release, 'portcullis') },
});
try {
  const environment = { ...process.env, PORTCULLIS_SOCKET: socket };
  const first = verdictAt(0);
  await timeSuccess(exec(first));
  const firstAnswer = performance.now() - begun;
  const samples: { readonly launcher: number; readonly empty: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const launched = await timeSuccess(exec(verdictAt(Math.floor(Math.random() * KEPT))));
    samples.push({ launcher: launched, empty: await timeSuccess({ file: '/bin/true', args: [], env: {}, stdin: '' }) });
  }
  const [mine, empty] = [summarize(samples.map((one) => one.launcher)), summarize(samples.map((one) => one.empty))];
  const memory = [await residentOf(shim.pid)];
  const started = performance.now();
  for (let done = 0; done < pulls; ) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => ask(verdictAt(Math.floor(Math.random() * KEPT)))));
    done += AT_ONCE;
    if (done % SAMPLE_EVERY < AT_ONCE) memory.push(await residentOf(shim.pid));
  }
  const seconds = (performance.now() - started) / 1_000;
  memory.push(await residentOf(shim.pid));
  console.log(
    renderTable([
      ['', 'p50 ms', 'p99 ms', 'aim'],
      ['launcher, kept verdict', mine.p50.toFixed(1), mine.p99.toFixed(1), 'p99 5'],
      ['/bin/true', empty.p50.toFixed(1), empty.p99.toFixed(1), ''],
      ['daemon start to first answer', firstAnswer.toFixed(0), '', '300'],
      ['resident MB, at first', (memory[0] ?? 0).toFixed(0), '', '80'],
      ['resident MB, at most', Math.max(...memory).toFixed(0), '', '80'],
      [`resident MB, after ${pulls} pulls`, (memory.at(-1) ?? 0).toFixed(0), '', '80'],
      [`pulls/s, ${AT_ONCE} at once`, (pulls / seconds).toFixed(0), '', ''],
    ]),
  );

  function exec({ name, digest }: Verdict) {
    return { file: launcher, env: environment, ...verifierInput(name, digest) };
  }
} finally {
  await shim.stop();
  await rm(dir, { recursive: true });
}

/** Fills the cache, and states a policy that ends while this runs: the verdicts may be used without a backend for an hour. */
function keep(): readonly Verdict[] {
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  const cache = openVerdictCache(join(state, 'verdicts'));
  const made = Array.from({ length: KEPT }, (_, index) =>
    anAllow({ name: `127.0.0.1:5000/demo/app-${index}:v1`, expiresAt: soon, offlineUntil: soon }),
  );
  for (const verdict of made) {
    const { name, digest, policyRevision } = verdict;
    cache.keep({ name, digest, policyRevision }, key.verdict(verdict).envelope, Date.parse(soon));
  }
  const [first] = made;
  if (first === undefined) throw new Error('expected verdicts');
  writeFileSync(join(state, 'policy-head.json'), JSON.stringify(aPolicyHead(key, first.policyRevision)));
  console.log(`${cache.stats().entries} verdicts kept, ${(cache.stats().bytes / 1e6).toFixed(1)} MB`);
  return made;
}

function verdictAt(index: number): Verdict {
  const verdict = verdicts[index];
  if (verdict === undefined) throw new Error(`expected less than ${verdicts.length}, found ${index}`);
  return verdict;
}

/** Asks as the launcher does, without the price of a process. */
function ask({ name, digest }: Verdict): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const connection = connect(socket, () => connection.end(encodeQuestion(name, digest)));
    connection.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    connection.once('error', reject);
    connection.once('close', () => (answer === 'allow\n' ? resolve() : reject(new Error(answer || 'no answer'))));
  });
}
