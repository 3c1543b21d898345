import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { readClaim } from '../../activities/border/claim.ts';
import { toFailure } from '../../activities/border/failure.ts';
import { EvidenceError } from '../../activities/evidence-error.ts';
import { describeStart } from '../../shim/backend/workflow-description.ts';
import { createStaircase } from '../../shim/cli/staircase.ts';
import { type Decision, refuseAtOnce } from '../../shim/decision.ts';
import { toServiceError, toWireCheck, toWireVerdict } from '../../shim/grpc/wire.ts';
import { encodeRefusal } from '../../shim/launcher/protocol.ts';
import { createLog } from '../../shim/log/log.ts';
import { statusMessage, verdictMessage } from '../../shim/proto/schema.ts';
import { renderChecklist } from '../../workflows/checklist.ts';
import { noPolicySentence } from '../../workflows/policy/sentence.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { EVERY_CHARACTER, findUnsafe, HOSTILE, ORDINARY } from '../support/unsafe-text.ts';
import { anAllow, digestOf } from '../support/verdicts.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const DIGEST = digestOf('ab');

/** Every way on which a text from outside leaves a process, and what comes out of it. */
const WAYS: Readonly<Record<string, (text: string) => string>> = {
  'the launcher, and with it pod events': (text) => Buffer.from(encodeRefusal(text)).toString(),
  'the log of the daemon': (text) => logged(text),
  'the message of a gRPC status': (text) => refusal(text)?.details ?? '',
  'the verdict in a gRPC status': (text) => JSON.stringify(verdictIn(refusal(text))),
  'a verdict by gRPC': (text) => JSON.stringify(toWireVerdict(allowOf(text))),
  'a step by gRPC': (text) => JSON.stringify(toWireCheck({ title: text, state: 'failed', detail: text })),
  'the staircase of a terminal': (text) => staircase(text),
  'the checklist in the UI of Temporal': (text) =>
    renderChecklist([{ title: text, state: 'retrying', detail: text, code: 'REGISTRY_ERROR' }], {
      ...{ outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence: text }] },
    }),
  'what a run shows in the UI of Temporal': (text) => JSON.stringify(described(text)),
  'the failure of an activity': (text) =>
    toFailure(new EvidenceError('REGISTRY_ERROR', text, { retryable: true })).message,
  'the sentence of a signed verdict': (text) => claimed(text),
  'the sentence that a policy makes': (text) => evaluated(text),
};

describe('text from outside leaves a process without what moves, hides or reorders text', () => {
  for (const [way, send] of Object.entries(WAYS)) {
    it(`by ${way}`, () => {
      for (const piece of EVERY_CHARACTER) {
        // What cuts a long text must see each of them.
        for (let at = 0; at < piece.length; at += 250) {
          assert.deepEqual(findUnsafe(send(piece.slice(at, at + 250)).replaceAll('\n', '')), []);
        }
      }
      assert.deepEqual(findUnsafe(send(HOSTILE).replaceAll('\n', '')), []);
      const random = fc.string({ unit: 'binary', maxLength: 80 });
      fc.assert(fc.property(random, (text) => findUnsafe(send(text).replaceAll('\n', '')).length === 0));
      const kept = ORDINARY.filter((text) => !/["\\]/.test(text));
      for (const text of kept) assert.ok(send(text).includes(text), `${way}: ${text}`);
    });
  }
});

function logged(text: string): string {
  let line = '';
  createLog((part) => (line += part)).warn(text, { [text]: text });
  assert.deepEqual(JSON.parse(line)[text], text, 'it still says what it was');
  return line;
}

function refusal(text: string) {
  return toServiceError(refuseAtOnce({ code: 'TEMPORAL_REFUSED', sentence: text }), false);
}

function verdictIn(error: ReturnType<typeof refusal>): unknown {
  const [bytes] = error?.metadata.get('grpc-status-details-bin') ?? [];
  assert.ok(Buffer.isBuffer(bytes));
  const [detail] = statusMessage.decode(bytes).details;
  return verdictMessage.decode(detail?.value ?? new Uint8Array());
}

function allowOf(text: string): Decision {
  const signer = { authority: text, identity: text, evidence: DIGEST, predicateType: text };
  const reasons = [{ code: 'SIGNATURE_VERIFIED', sentence: text }] as const;
  return { by: 'verdict', verdict: anAllow({ signers: [signer], reasons }), from: 'backend', workflowId: text };
}

function staircase(text: string): string {
  let printed = '';
  const steps = createStaircase((part) => (printed += part), false);
  steps.show([{ title: text, state: 'FAILED', detail: text }]);
  steps.end({ ...toWireVerdict(allowOf('')), reasons: [{ code: text, sentence: text }] });
  return printed;
}

function described(node: string): unknown {
  const name = '127.0.0.1:5000/demo/app:v1';
  const input = { name, digest: DIGEST, policyRevision: 'c'.repeat(64), decisionId: '0123456789abc' };
  const { staticSummary, staticDetails, typedSearchAttributes } = describeStart(input, node);
  return [staticSummary, staticDetails, typedSearchAttributes.getAll().map(({ value }) => value)];
}

function claimed(sentence: string): string {
  const name = '127.0.0.1:5000/demo/app:v1';
  const { reasons } = readClaim({
    ...{ decisionId: '0123456789abc', name, digest: DIGEST, policyRevision: 'c'.repeat(64), signers: [] },
    ...{ outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence }] },
  });
  return reasons[0].sentence;
}

function evaluated(text: string): string {
  return noPolicySentence({ name: text, digest: DIGEST });
}

/** What a program prints; one that goes on, as a worker does that waits for its server, is ended after some seconds. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const options = {
      timeout: 5_000,
      killSignal: 'SIGKILL' as const,
      env: { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1', ...env },
      cwd: dir,
    };
    execFile(process.execPath, [...args], options, (_, stdout, stderr) => resolve({ stdout, stderr }));
  });
}

const PROGRAM = join(ROOT, 'infra/portcullis.ts');
/** What a file can be called: no slash, no NUL, at most 255 bytes, UTF-8. */
const NAME = 'a\u001b[2J\u202eb\u2066c\u200bd\ufeffe\u3164f\ufe0fg\u{e0041}h\ue000';
const POLICY = `apiVersion: policy.sigstore.dev/v1
kind: ClusterImagePolicy
metadata: { name: demo }
spec:
  images: [{ glob: "${'x\u202ey\u200bz'}" }]
  "${'field\u202e\u200b'}": 1
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dir = '';
before(async () => {
  folder = await temporaryFolder();
  dir = folder.path;
  await mkdir(join(dir, 'policy'));
  await mkdir(join(dir, 'keys'));
  await mkdir(join(dir, 'empty'));
  await writeFile(join(dir, 'policy', `${NAME}.yaml`), POLICY);
  await writeFile(join(dir, 'keys', `${NAME}.pub`), 'no key');
  await writeFile(join(dir, 'shim.yaml'), `"${'key\u202e\u200b'}": "x"\n`);
  const decision = { message: 'decided', decision: 'refuse', name: NAME, digest: DIGEST, reason: `UNSIGNED: ${NAME}` };
  await writeFile(join(dir, 'log'), `${JSON.stringify({ time: NAME, ...decision })}\n`);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(join(dir, 'verdict.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await writeFile(join(dir, 'broken.toml'), `"${NAME}" = = "${NAME}"\n`);
  await writeFile(join(dir, 'import.json'), JSON.stringify({ [NAME]: NAME }));
});
after(async () => {
  await folder[Symbol.asyncDispose]();
});

describe('a command prints without what moves, hides or reorders text', () => {
  const COMMANDS: readonly (readonly string[])[] = [
    [NAME],
    ['explain', `${NAME} UNSIGNED: ${NAME}`],
    ['explain', NAME],
    ['verify', NAME, '--grpc-socket', `/${NAME}`],
    ['verify', 'app:v1', '--grpc-socket', `/${NAME}`],
    [`--${NAME}`],
    ['verify', `--${NAME}`],
    ['why', NAME, '--log', 'log'],
    ['why', DIGEST, '--log', 'log'],
    ['why', DIGEST, '--log', 'log', '--output', 'json'],
    ['why', DIGEST, '--log', NAME],
    ['policy', 'check', 'policy'],
    ['policy', 'check', 'policy', '--output', 'json'],
    ['policy', 'check', NAME],
    ['keys', 'list', 'keys'],
    ['keys', 'list', '--verdict-keys', 'keys'],
    ['keys', 'init', `${NAME}/nowhere/\u202e`],
    ['conformance', 'verify-bundle', '--bundle', NAME, NAME],
    ['shim', '--config', 'shim.yaml'],
    ['shim', '--verdict-keys', NAME],
    ['shim', '--verdict-keys', NAME, '--fleet', NAME],
    ['doctor', '--containerd', NAME, '--containerd-config', NAME],
    ['doctor', '--containerd', NAME, '--containerd-config', NAME, '--output', 'json'],
    ['canary', '--grpc-socket', `/${NAME}`],
    ['bootstrap', 'learn', '--containerd', `/${NAME}`, '--manifests', NAME],
    ['import', 'import.json'],
    ['import', NAME],
    ['export', NAME],
    ['worker', '--policy', NAME, '--verdict-key', NAME],
    ['worker', '--policy', NAME, '--verdict-key', 'verdict.key', '--plain-http', NAME],
    ['worker', '--policy', NAME, '--verdict-key', `awskms:///${NAME}`],
  ];
  for (const args of COMMANDS) {
    it(args.map((word) => word.replaceAll(NAME, 'NAME')).join(' '), async () => {
      const { stdout, stderr } = await run([PROGRAM, ...args]);
      const printed = `${stdout}${stderr}`;
      assert.notEqual(printed, '');
      assert.deepEqual(findUnsafe(printed.replaceAll('\n', '')), [], printed);
      if (args.includes('json') && stdout !== '') JSON.parse(stdout);
    });
  }

  it('and so does Node, of warnings and of what ends the process', async () => {
    const module = JSON.stringify(join(ROOT, 'infra/command.ts'));
    const script = `import { guardOutput } from ${module};
guardOutput();
process.emitWarning('warned \\u202e');
setTimeout(() => { throw new Error('thrown \\u202e', { cause: new Error('cause \\u200b') }); }, 10);`;
    const { stderr } = await run(['--input-type=module', '-e', script]);
    for (const text of ['warned \\u{202e}', 'thrown \\u{202e}', 'cause \\u{200b}'])
      assert.ok(stderr.includes(text), stderr);
    assert.deepEqual(findUnsafe(stderr.replaceAll('\n', '')), [], stderr);
  });

  it('and so does the log of a worker', async () => {
    const args = [
      'worker',
      '--policy',
      'empty',
      '--verdict-key',
      'verdict.key',
      '--workflow-bundle',
      'log',
      '--metrics',
      'off',
    ];
    const env = { ...process.env, TEMPORAL_ADDRESS: `127.0.0.1:1/${NAME}` };
    const worker = spawn(process.execPath, [PROGRAM, ...args], { env, cwd: dir, stdio: ['ignore', 'inherit', 'pipe'] });
    let log = '';
    for await (const chunk of worker.stderr) {
      log += String(chunk);
      if (log.includes('TEMPORAL_ADDRESS')) break;
    }
    worker.kill('SIGKILL');
    assert.match(log, /TEMPORAL_ADDRESS/);
    assert.deepEqual(findUnsafe(log.replaceAll('\n', '')), [], log);
  });
});

describe('what prints', () => {
  /** Each of them guards what it prints by itself. */
  const WRITERS = ['activities/worker.ts', 'shim/cli/explain-decision.ts', 'shim/cli/shim.ts', 'shim/cli/verify.ts'];

  it('is the guarded console, but for the log of the two daemons and the steps with their colours', () => {
    const rooms = ['workflows', 'activities', 'shim'].flatMap((room) =>
      readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((path) => join(ROOT, room, path)),
    );
    const writers = rooms
      .filter((path) => path.endsWith('.ts'))
      .filter((path) => /std(?:out|err)\.write|_rawDebug|writeSync\([12],/.test(readFileSync(path, 'utf8')))
      .map((path) => relative(ROOT, path));
    assert.deepEqual(writers.toSorted(), WRITERS);
  });
});
