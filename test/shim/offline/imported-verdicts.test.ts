import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { watchPolicy } from '../../../shim/backend/policy-watch.ts';
import { type Decision, type PullRequest, reasonsOf } from '../../../shim/decision.ts';
import { ADMISSION_LIMITS, openAdmission } from '../../../shim/gate/admission.ts';
import { decide } from '../../../shim/gate/decide.ts';
import { keptVerdicts } from '../../../shim/gate/kept-verdicts.ts';
import { openSingleFlight } from '../../../shim/gate/single-flight.ts';
import { toJudgement } from '../../../shim/judgement.ts';
import { importFolder, importName } from '../../../shim/offline/import-folder.ts';
import { watchImportedVerdicts } from '../../../shim/offline/imported-verdicts.ts';
import type { VerdictKeys } from '../../../shim/verdict-keys/verdict-keys.ts';
import type { Envelope } from '../../../workflows/verdict/verdict.ts';
import { createTestBackend } from '../../support/backend.ts';
import { anOfflineVerdict, aStatement, fromNow, offlineText, revoking, smuggle } from '../../support/offline.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { anAllow, createTestVerdictKey, digestOf, TEST_FLEET } from '../../support/verdicts.ts';

const [key, stranger] = [createTestVerdictKey(), createTestVerdictKey()];
const { name, digest } = anAllow();
const good = anOfflineVerdict(key);
const other = { name, digest: digestOf('cd') };

interface Node {
  readonly state: string;
  /** What was logged as wrong. */
  readonly problems: readonly string[];
  /** Decides after the daemon has looked again: the code, or `allow`. */
  decide(request?: PullRequest): Promise<string>;
}

/** A node without a network that has imported these files, and nothing else. */
async function aNode(t: TestContext, files: readonly string[], keys: () => VerdictKeys = key.accepted): Promise<Node> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const state = folder.path;
  for (const content of files) await smuggle(state, content);
  const problems: string[] = [];
  const log = {
    info() {},
    error() {},
    warn: (_: string, fields?: object) => void problems.push(JSON.stringify(fields)),
  };
  const backend = createTestBackend({});
  const policy = watchPolicy(backend, keys, () => {}, { fleet: TEST_FLEET });
  const imported = await watchImportedVerdicts(importFolder(state), policy.learn, log);
  t.after(() => {
    policy.stop();
    imported.stop();
  });
  const gate = {
    ...{
      backend,
      policy,
      keys,
      fleet: TEST_FLEET,
      node: 'test',
      rules: [],
      lost: () => undefined,
      clock: () => undefined,
    },
    kept: keptVerdicts(imported.find, policy, TEST_FLEET, keys, () => {}),
    ...{ admission: openAdmission(ADMISSION_LIMITS), flights: openSingleFlight<Decision>() },
  };
  return {
    ...{ state, problems },
    async decide(request = { name, digest }) {
      await imported.reload();
      const decision = await decide(gate, request, { deadline: Date.now() + 100 });
      return toJudgement(decision).ok ? 'allow' : reasonsOf(decision)[0].code;
    },
  };
}

describe('a node without a network', () => {
  it('lets in what was imported, under its name and digest, and says of the rest what to do', async (t) => {
    const node = await aNode(t, [offlineText(aStatement(key), [good])]);
    const requests = [{ name, digest }, other, { name: `${name}-other`, digest }];
    const answers = await Promise.all(requests.map((request) => node.decide(request)));
    assert.deepEqual(answers, ['allow', 'TEMPORAL_UNREACHABLE', 'TEMPORAL_UNREACHABLE']);
    assert.deepEqual(node.problems, []);
  });

  it('takes an import while it runs, and loses it with its file', async (t) => {
    const node = await aNode(t, []);
    assert.equal(await node.decide(other), 'TEMPORAL_UNREACHABLE');
    const path = await smuggle(node.state, offlineText(aStatement(key), [good]));
    assert.equal(await node.decide(), 'allow');
    rmSync(path);
    assert.equal(await node.decide(), 'TEMPORAL_UNREACHABLE');
  });

  it('uses whichever of several imports is still good', async (t) => {
    const past = offlineText(aStatement(key), [anOfflineVerdict(key, { offlineUntil: fromNow(-1_000) })]);
    const files = [past, offlineText(aStatement(stranger), [anOfflineVerdict(stranger)])];
    const node = await aNode(t, [...files, offlineText(aStatement(key), [good])]);
    assert.equal(await node.decide(), 'allow');
  });

  const revoked = { ...revoking(digest), statedAt: fromNow(-200_000) };
  const refused: readonly (readonly [string, readonly string[], string])[] = [
    ['a verdict by a stranger', [offlineText(aStatement(key), [anOfflineVerdict(stranger)])], 'TEMPORAL_UNREACHABLE'],
    ['a statement by a stranger', [offlineText(aStatement(stranger), [good])], 'TEMPORAL_UNREACHABLE'],
    [
      'a verdict under another spelling of the name',
      [offlineText(aStatement(key), [anOfflineVerdict(key, { name: name.replace(':', ':0') })])],
      'TEMPORAL_UNREACHABLE',
    ],
    [
      'a verdict whose offline use is over',
      [offlineText(aStatement(key), [anOfflineVerdict(key, { offlineUntil: fromNow(-1) })])],
      'TEMPORAL_UNREACHABLE',
    ],
    [
      'a verdict without offline use',
      [offlineText(aStatement(key), [key.verdict(anAllow({ expiresAt: fromNow(-1) })).envelope])],
      'TEMPORAL_UNREACHABLE',
    ],
    [
      'a verdict under a policy that was replaced',
      [
        offlineText(aStatement(key), [good]),
        offlineText(aStatement(key, { policyRevision: 'e'.repeat(64), statedAt: fromNow(-200_000) }), []),
      ],
      'TEMPORAL_UNREACHABLE',
    ],
    ['a revoked digest', [offlineText(aStatement(key), [good]), offlineText(aStatement(key, revoked), [])], 'REVOKED'],
    [
      'a digest that a newer statement does not revoke any more, and then an older one does',
      [offlineText(aStatement(key, revoked), [good]), offlineText(aStatement(key), [])],
      'REVOKED',
    ],
  ];
  for (const [what, files, code] of refused) {
    it(`refuses ${what}`, async (t) => assert.equal(await (await aNode(t, files)).decide(), code));
  }

  it('refuses what was signed by a key whose window has ended since', async (t) => {
    let keys = key.accepted();
    const node = await aNode(t, [offlineText(aStatement(key), [good])], () => keys);
    assert.equal(await node.decide(), 'allow');
    keys = key.accepted({ notAfter: Date.now() - 3_600_000 });
    assert.equal(await node.decide(), 'TEMPORAL_UNREACHABLE');
  });

  it('learns from a statement whose key it gets later', async (t) => {
    let keys = stranger.accepted();
    const node = await aNode(t, [offlineText(aStatement(key), [good])], () => keys);
    assert.equal(await node.decide(), 'TEMPORAL_UNREACHABLE');
    assert.match(String(node.problems[0]), /is not signed by a verdict key of this node/);
    keys = key.accepted();
    assert.equal(await node.decide(), 'allow');
  });
});

describe('a file of imports that somebody else writes', () => {
  const claimed = Buffer.from(good.payload, 'base64').toString().replaceAll('ab'.repeat(32), 'cd'.repeat(32));
  const forged: Envelope = { ...good, payload: Buffer.from(claimed).toString('base64') };
  const contents: readonly (readonly [string, string | undefined])[] = [
    ['forged', offlineText(aStatement(key), [forged, good])],
    [
      'by a stranger',
      offlineText(aStatement(stranger), [anOfflineVerdict(stranger, other), anOfflineVerdict(stranger)]),
    ],
    ['with a verdict for another image', offlineText(aStatement(key), [{ ...forged, payload: good.payload }, forged])],
    ['garbage', '\u0000{"format":'],
    ['empty', ''],
    ['nothing but a form', offlineText({ payloadType: '', payload: '', signatures: [] }, [])],
  ];
  for (const [what, content = ''] of contents) {
    it(`lets nothing else in while the daemon runs: ${what}, in its place and under its proper name`, async (t) => {
      const node = await aNode(t, [offlineText(aStatement(key), [good])]);
      assert.equal(await node.decide(), 'allow');
      await smuggle(node.state, content, importName(offlineText(aStatement(key), [good])));
      await smuggle(node.state, content);
      assert.equal(await node.decide(other), 'TEMPORAL_UNREACHABLE');
    });
  }

  it('is not used when its content is not that of its name, and is told', async (t) => {
    const node = await aNode(t, []);
    await smuggle(node.state, offlineText(aStatement(key), [good]), 'by-hand.json');
    assert.equal(await node.decide(), 'TEMPORAL_UNREACHABLE');
    assert.match(String(node.problems), /by-hand\.json[^\n]+its content is not the one that was imported/);
  });

  it('is not used when it is no file, when it is a link that leads nowhere, nor when they are too many', async (t) => {
    const node = await aNode(t, []);
    const folder = importFolder(node.state);
    mkdirSync(`${folder}/${'0'.repeat(64)}.json`, { recursive: true });
    symlinkSync('/nowhere', `${folder}/${'1'.repeat(64)}.json`);
    for (let index = 0; index < 32; index++) writeFileSync(`${folder}/${index}.json`, '');
    await smuggle(node.state, offlineText(aStatement(key), [good]));
    assert.equal(await node.decide(other), 'TEMPORAL_UNREACHABLE');
    assert.match(String(node.problems), /expected at most 32 files of 67108864 bytes together; this one is not used/);
  });

  it('and no folder at all are no import', async (t) => {
    const node = await aNode(t, []);
    writeFileSync(importFolder(node.state), '');
    assert.equal(await node.decide(), 'TEMPORAL_UNREACHABLE');
    assert.match(String(node.problems), /ENOTDIR/);
    renameSync(importFolder(node.state), `${node.state}/gone`);
    assert.equal(await node.decide(), 'TEMPORAL_UNREACHABLE');
  });
});
